import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { App, ConfigProvider, theme } from 'antd';
import { lazy, StrictMode, Suspense, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';
import { CallFailure, sessionEnded } from './api/call.ts';
import { forgetSession, rememberedSession, type Session } from './api/session.ts';
import { makeRouter } from './router.tsx';
import { Login } from './shell/login.tsx';
import './style.css';

const mostTries = 2;
/** A page for those who have a token, with a session or without. */
const consolePath = '/console';
const ConsolePage = lazy(async () => ({ default: (await import('./console/console-page.tsx')).ConsolePage }));

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // what the server refused it refuses again; what did not reach it may
      retry: (tries, error) => tries < mostTries && !(error instanceof CallFailure && error.errorcode > 0),
      staleTime: 1000,
    },
  },
});

/** What the system prefers, also when it changes its mind. */
function usePreference(media: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const query = window.matchMedia(media);
      query.addEventListener('change', changed);
      return () => query.removeEventListener('change', changed);
    },
    () => window.matchMedia(media).matches,
  );
}

function Console() {
  const dark = usePreference('(prefers-color-scheme: dark)');
  const still = usePreference('(prefers-reduced-motion: reduce)');
  const muted = dark ? 'rgba(255, 255, 255, 0.72)' : 'rgba(0, 0, 0, 0.66)';
  const marked = dark ? '#9fd0fa' : '#0b5fa5';
  const [session, setSession] = useState(rememberedSession);
  const router = useMemo(
    () => session && makeRouter({ session, onEnd: () => setSession(undefined) }),
    [session],
  );
  useEffect(() => {
    const end = () => {
      forgetSession();
      queryClient.clear();
      setSession(undefined);
    };
    window.addEventListener(sessionEnded, end);
    return () => window.removeEventListener(sessionEnded, end);
  }, []);
  useEffect(() => {
    document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
  }, [dark]);
  return (
    <ConfigProvider
      theme={{
        algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
        token: {
          colorPrimary: dark ? '#2a72b5' : '#0b5fa5',
          colorLink: dark ? '#6fb1ec' : '#0b5fa5',
          // the library's own are too pale for WCAG 2.2 AA (1.4.3)
          colorTextSecondary: muted,
          colorTextTertiary: muted,
          colorTextDescription: muted,
          colorTextPlaceholder: muted,
          colorError: dark ? '#ff9a9a' : '#b3161b',
          motion: !still,
        },
        components: {
          Menu: { itemSelectedColor: marked },
          Tabs: { itemSelectedColor: marked, itemHoverColor: marked, itemActiveColor: marked },
          Table: {
            rowSelectedBg: dark ? '#1b2733' : '#eaf3fb',
            rowSelectedHoverBg: dark ? '#22303e' : '#dfedf9',
          },
        },
      }}
    >
      <App>
        <QueryClientProvider client={queryClient}>
          <Content router={router} onLogin={setSession} />
        </QueryClientProvider>
      </App>
    </ConfigProvider>
  );
}

function Content(props: {
  readonly router: ReturnType<typeof makeRouter> | undefined;
  readonly onLogin: (session: Session) => void;
}) {
  if (window.location.pathname === consolePath)
    return (
      <Suspense>
        <ConsolePage />
      </Suspense>
    );
  return props.router ? <RouterProvider router={props.router} /> : <Login onLogin={props.onLogin} />;
}

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      <Console />
    </StrictMode>,
  );
