import type { IncomingMessage, ServerResponse } from 'node:http';

/** As web servers do, and the lab's does not: a qcow2 image is put into place while it arrives only when its tables can be read first. */
export function answerInParts(image: Buffer) {
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const headers = { 'accept-ranges': 'bytes', etag: '"1"' };
    if (first === undefined) {
      response.writeHead(200, { ...headers, 'content-length': image.length }).end(image);
      return true;
    }
    const from = Number(first);
    const to = Math.min(last ? Number(last) : image.length - 1, image.length - 1);
    response
      .writeHead(206, {
        ...headers,
        'content-range': `bytes ${from}-${to}/${image.length}`,
        'content-length': to - from + 1,
      })
      .end(image.subarray(from, to + 1));
    return true;
  };
}
