const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `45.0 MB`: decimal units, three digits or so. */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${units[unit]}`;
}

/** `12.3/45.0 MB`, both in the unit of the whole; `12.3 MB` when the whole is not known. */
export function formatPart(bytes: number, total: number | undefined): string {
  if (total === undefined || total <= 0) return formatBytes(bytes);
  const unit = unitOf(total);
  return `${inUnit(bytes, unit)}/${inUnit(total, unit)} ${units[unit]}`;
}

/** `40 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  const unit = unitOf(bytesPerSecond);
  const value = bytesPerSecond / 1000 ** unit;
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}/s`;
}

/** `340 ms`, `1.2 s`, `2 min 5 s`, `3 h 20 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9950) return `${(milliseconds / 1000).toFixed(1)} s`;
  return formatSeconds(milliseconds / 1000);
}

/** `1 s`, `2 min 5 s`, `3 h 20 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

function unitOf(bytes: number): number {
  let unit = 0;
  // 999.95 kB would be printed as 1000.0 kB
  while (unit < units.length - 1 && Math.abs(bytes) / 1000 ** unit >= 999.95) unit++;
  return unit;
}

function inUnit(bytes: number, unit: number): string {
  return unit === 0 ? String(Math.round(bytes)) : (bytes / 1000 ** unit).toFixed(1);
}
