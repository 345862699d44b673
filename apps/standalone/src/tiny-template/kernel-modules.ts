/**
 * Orders the modules a kernel needs so that each comes after what it depends on.
 * @param dependencies text of `modules.dep`: `path: path path…`, where the paths after the colon are needed first,
 * the last of them the earliest
 * @param builtin text of `modules.builtin`: modules that are part of the kernel itself and need no file
 * @param wanted names such as `virtio_net`; `-` and `_` are the same to the kernel
 * @returns paths relative to the modules' directory
 * @throws Error naming the modules that the kernel has neither as a file nor built in
 */
export function orderModules(dependencies: string, builtin: string, wanted: readonly string[]): string[] {
  const needs = new Map<string, readonly string[]>();
  const paths = new Map<string, string>();
  for (const line of dependencies.split('\n')) {
    const [path, rest] = line.split(':');
    if (!path || rest === undefined) continue;
    needs.set(path, rest.split(' ').filter(Boolean));
    paths.set(moduleName(path), path);
  }
  const inKernel = new Set(builtin.split('\n').filter(Boolean).map(moduleName));
  const ordered = new Set<string>();
  const missing: string[] = [];
  for (const name of wanted) {
    const path = paths.get(moduleName(name));
    if (path !== undefined) {
      for (const needed of [...(needs.get(path) ?? [])].reverse()) ordered.add(needed);
      ordered.add(path);
    } else if (!inKernel.has(moduleName(name))) missing.push(name);
  }
  if (missing.length > 0) throw new Error(`the kernel has no module ${missing.join(', ')}`);
  return [...ordered];
}

/** `kernel/drivers/net/virtio_net.ko.xz` → `virtio_net`. */
export function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.replace(/\.ko(\.\w+)?$/, '').replaceAll('-', '_');
}
