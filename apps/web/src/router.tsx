import { createRootRouteWithContext, createRoute, createRouter, Link } from '@tanstack/react-router';
import { Result, Skeleton } from 'antd';
import { type ComponentType, lazy, Suspense } from 'react';
import type { Session } from './api/session.ts';
import { Shell } from './shell/shell.tsx';
import { text } from './text/en.ts';

interface Context {
  readonly session: Session;
  readonly onEnd: () => void;
}

interface PageProps {
  readonly session: Session;
}

interface DetailProps extends PageProps {
  readonly id: string;
}

const root = createRootRouteWithContext<Context>()({
  component: function Root() {
    const { session, onEnd } = root.useRouteContext();
    return <Shell session={session} onEnd={onEnd} />;
  },
  notFoundComponent: () => (
    <Result status="404" title="404" extra={<Link to="/">{text.menu.dashboard}</Link>} />
  ),
});

/** Pages are loaded when they are first looked at. */
function page(path: string, load: () => Promise<ComponentType<PageProps>>) {
  const Page = lazy(async () => ({ default: await load() }));
  return createRoute({
    getParentRoute: () => root,
    path,
    component: function Routed() {
      const { session } = root.useRouteContext();
      return (
        <Suspense fallback={<Skeleton active />}>
          <Page session={session} />
        </Suspense>
      );
    },
  });
}

function detail(path: string, load: () => Promise<ComponentType<DetailProps>>) {
  const Page = lazy(async () => ({ default: await load() }));
  const route = createRoute({
    getParentRoute: () => root,
    path: `${path}/$id`,
    component: function Routed() {
      const { session } = root.useRouteContext();
      const { id } = route.useParams();
      return (
        <Suspense fallback={<Skeleton active />}>
          <Page key={id} id={id} session={session} />
        </Suspense>
      );
    },
  });
  return route;
}

const routeTree = root.addChildren([
  page('/', async () => (await import('./pages/dashboard.tsx')).Dashboard),
  page('/instances', async () => (await import('./pages/instances.tsx')).Instances),
  page('/instances/deploy', async () => (await import('./pages/instance-deploy.tsx')).DeployInstance),
  detail('/instances', async () => (await import('./pages/instance-detail.tsx')).InstanceDetail),
  page('/templates', async () => (await import('./pages/templates.tsx')).Templates),
  page('/templates/register', async () => (await import('./pages/template-register.tsx')).RegisterTemplate),
  detail('/templates', async () => (await import('./pages/template-detail.tsx')).TemplateDetail),
  page('/isos', async () => (await import('./pages/templates.tsx')).Isos),
  page('/isos/register', async () => (await import('./pages/template-register.tsx')).RegisterIso),
  detail('/isos', async () => (await import('./pages/template-detail.tsx')).IsoDetail),
  page('/keys', async () => (await import('./pages/ssh-keys.tsx')).SshKeys),
  page('/certificates', async () => (await import('./pages/certificates.tsx')).Certificates),
  page('/places', async () => (await import('./pages/places.tsx')).Places),
  page('/networks', async () => (await import('./pages/networks.tsx')).Networks),
  page('/volumes', async () => (await import('./pages/volumes.tsx')).Volumes),
  page('/image-stores', async () => (await import('./pages/image-stores.tsx')).ImageStores),
  page('/capacity', async () => (await import('./pages/oversight.tsx')).CapacityPage),
  page('/alerts', async () => (await import('./pages/oversight.tsx')).Alerts),
  page('/limits', async () => (await import('./pages/limits.tsx')).Limits),
  page('/hosts', async () => (await import('./pages/infrastructure.tsx')).Hosts),
  page('/pools', async () => (await import('./pages/infrastructure.tsx')).Pools),
  page('/accounts', async () => (await import('./pages/accounts.tsx')).Accounts),
  page('/users', async () => (await import('./pages/accounts.tsx')).Users),
  page('/domains', async () => (await import('./pages/domains-and-roles.tsx')).Domains),
  page('/roles', async () => (await import('./pages/domains-and-roles.tsx')).Roles),
  page('/offerings', async () => (await import('./pages/offerings.tsx')).Offerings),
  page('/events', async () => (await import('./pages/events.tsx')).Events),
  page('/jobs', async () => (await import('./pages/jobs.tsx')).Jobs),
  detail('/jobs', async () => (await import('./pages/jobs.tsx')).JobDetail),
  page('/settings', async () => (await import('./pages/settings.tsx')).Settings),
]);

export function makeRouter(context: Context) {
  return createRouter({ routeTree, context, defaultPreload: false });
}
