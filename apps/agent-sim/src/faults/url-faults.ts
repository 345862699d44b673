/** What can be wrong with an image, asked for in its URL: `https://images.example/debian.qcow2?fault=wrong-bytes,guest-crash`. */
export const urlFaults = [
  'slow',
  'wrong-bytes',
  'no-space',
  'not-found',
  'not-an-image',
  'start-refused',
  'guest-crash',
] as const;
export type UrlFault = (typeof urlFaults)[number];

export interface SimulatedImage {
  readonly transferBytes: number;
  readonly virtualSizeBytes: number;
  readonly faults: ReadonlySet<UrlFault>;
}

const megabyte = 1_000_000;
const gibibyte = 1024 ** 3;

/**
 * The image that a URL stands for. `size` (megabytes to transfer, 400), `virtual` (GiB of the disk, 2) and `fault` (a comma
 * list) say how it is; everything else of the URL is only a name.
 */
export function imageAt(url: string): SimulatedImage {
  const asked = URL.parse(url)?.searchParams;
  const wanted = (asked?.get('fault') ?? '').split(',');
  return {
    transferBytes: Math.round(positive(asked?.get('size'), 400) * megabyte),
    virtualSizeBytes: Math.round(positive(asked?.get('virtual'), 2) * gibibyte),
    faults: new Set(urlFaults.filter((fault) => wanted.includes(fault))),
  };
}

function positive(text: string | null | undefined, otherwise: number): number {
  const number = Number(text);
  return Number.isFinite(number) && number > 0 ? number : otherwise;
}
