import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// biome-ignore lint/style/noDefaultExport: Vite reads the default export
export default defineConfig({
  plugins: [react()],
  build: { target: 'es2022', sourcemap: false, chunkSizeWarningLimit: 1500 },
  // `npm run dev` of the console against a running server
  server: { proxy: { '/client': 'http://127.0.0.1:8080' } },
});
