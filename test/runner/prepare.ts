import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError } from '@millrace/core';
import {
  corePackages,
  demoPackages,
  ensurePackages,
  testPackages,
} from '../../apps/standalone/src/system-packages.ts';
import { buildTinyTemplate } from '../../apps/standalone/src/tiny-template/build-tiny-template.ts';
import { buildWebConsole } from '../../apps/standalone/src/web-console.ts';

/**
 * As root, makes what tests find ready: system packages, and the tiny template with its kernel, because the machines in
 * which end-to-end tests run have no network.
 */
const signal = AbortSignal.timeout(30 * 60_000);
const proxies = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(https?|no)_proxy$/i.test(name) && value ? [[name, value]] : [],
  ),
);

try {
  const installed = await ensurePackages({
    wanted: { ...corePackages, ...demoPackages, ...testPackages },
    install: true,
    environment: proxies,
    note: (text) => console.log(`· system packages: ${text}`),
    signal,
  });
  console.log(`✔ system packages${installed.length === 0 ? '' : `: installed ${installed.join(' ')}`}`);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  console.log(`✔ web console${(await buildWebConsole({ root, signal })) ? ', built' : ''}`);
  const template = await buildTinyTemplate({
    cacheDirectory: join(root, 'node_modules/.cache/millrace'),
    tag: 'demo',
    environment: proxies,
    signal,
  });
  console.log(`✔ tiny template: Linux ${template.kernelVersion}${template.builtNow ? ', built' : ''}`);
} catch (error) {
  console.error(describeError(error));
  process.exitCode = 1;
}
