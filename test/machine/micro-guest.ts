import { open, writeFile } from 'node:fs/promises';
import { runProgram } from '@millrace/core';

/**
 * A guest of one sector, for tests that need a VM but no operating system: it is up in half a second under emulation and
 * idles at no cost. On its first serial port it prints
 *
 *   MILLRACE-MICRO boot=<two digits> tag=<TAG>
 *
 * where the boots are counted on the disk itself, so the line also says whether a disk is fresh and can be written. When
 * the power button is pressed it prints `MILLRACE-MICRO power button, off` and switches itself off.
 *
 * Sector 0 is the program, sector 1 the tag, the first byte of sector 2 the count. 16 MiB of memory are enough.
 */
export interface MicroGuestOptions {
  /** Up to 60 characters of ASCII. */
  readonly tag: string;
  readonly format: 'raw' | 'qcow2';
  readonly signal: AbortSignal;
}

const sectorBytes = 512;
const diskBytes = 1024 * 1024;

/** Writes the guest's disk, one MiB. */
export async function writeMicroGuest(path: string, options: MicroGuestOptions): Promise<void> {
  const raw = options.format === 'raw' ? path : `${path}.raw`;
  await writeFile(raw, microGuest(options.tag));
  await using file = await open(raw, 'r+');
  await file.truncate(diskBytes);
  if (options.format === 'qcow2') {
    await runProgram('qemu-img', ['convert', '-q', '-f', 'raw', '-O', 'qcow2', raw, path], {
      signal: options.signal,
    });
  }
}

/** The first two sectors. */
export function microGuest(tag: string): Buffer {
  if (!/^[\x20-\x7e]{1,60}$/.test(tag)) throw new Error(`unusable tag: ${tag}`);
  const image = Buffer.alloc(2 * sectorBytes);
  let at = 0;
  for (const part of program) at += part.copy(image, at);
  image.writeUInt16LE(0xaa55, sectorBytes - 2);
  image.write(tag, sectorBytes, 'latin1');
  return image;
}

const code = (...bytes: number[]) => Buffer.from(bytes);
const text = (words: string) => Buffer.from(words, 'latin1');

/**
 * 16-bit code as the BIOS runs it at 0x7c00, assembled by hand. Addresses that it uses: subroutines disk 7c75,
 * send 7c7f, print 7c88; data packet 7c93, drive 7ca3, hello 7ca4, tag 7cb9, bye 7cbf, line end 7cdf. Sectors 1 and 2
 * are read to 8000, so the count is at 8200.
 */
const program: readonly Buffer[] = [
  // 7c00: segments to 0, the stack below the program
  code(0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0), // cli; xor ax,ax; mov ds,ax; mov es,ax; mov ss,ax
  code(0xbc, 0x00, 0x7c, 0xfb, 0xfc), // mov sp,7c00; sti; cld
  code(0x88, 0x16, 0xa3, 0x7c), // mov [drive],dl    the BIOS tells which disk it booted from
  // 7c12: first serial port, 9600 8N1 (BIOS interrupt 14h, function 0)
  code(0x31, 0xd2, 0xb8, 0xe3, 0x00, 0xcd, 0x14), // xor dx,dx; mov ax,00e3; int 14
  // 7c19: read tag and count; count this boot; write them back
  code(0xb4, 0x42, 0xe8, 0x57, 0x00), // mov ah,42; call disk
  code(0x72, 0x0a), // jc 7c2a           a disk that cannot be read counts nothing
  code(0xfe, 0x06, 0x00, 0x82), // inc byte [8200]
  code(0xb8, 0x00, 0x43, 0xe8, 0x4b, 0x00), // mov ax,4300; call disk
  // 7c2a: the line
  code(0xbe, 0xa4, 0x7c, 0xe8, 0x58, 0x00), // mov si,hello; call print
  code(0xa0, 0x00, 0x82, 0xd4, 0x0a), // mov al,[8200]; aam   tens to ah, ones to al
  code(0x0d, 0x30, 0x30, 0x50), // or ax,3030; push ax
  code(0x88, 0xe0, 0xe8, 0x41, 0x00), // mov al,ah; call send
  code(0x58, 0xe8, 0x3d, 0x00), // pop ax; call send
  code(0xbe, 0xb9, 0x7c, 0xe8, 0x40, 0x00), // mov si,tag; call print
  code(0xbe, 0x00, 0x80, 0xe8, 0x3a, 0x00), // mov si,8000; call print
  code(0xbe, 0xdf, 0x7c, 0xe8, 0x34, 0x00), // mov si,line end; call print
  // 7c54: ACPI registers lie where SeaBIOS puts them on both of QEMU's PC machines: event status 600, enable 602,
  // control 604. Enable the power button's event, then look at its status after every tick of the timer.
  code(0xba, 0x02, 0x06, 0xb8, 0x00, 0x01, 0xef), // mov dx,602; mov ax,0100; out dx,ax
  code(0xba, 0x00, 0x06), // mov dx,600
  code(0xf4, 0xed, 0xf6, 0xc4, 0x01, 0x74, 0xf9), // hlt; in ax,dx; test ah,1; jz back to hlt
  // 7c65: pressed: say so, and enter S5
  code(0xbe, 0xbf, 0x7c, 0xe8, 0x1d, 0x00), // mov si,bye; call print
  code(0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef), // mov dx,604; mov ax,2000; out dx,ax
  code(0xf4, 0xeb, 0xfd), // hlt; jmp back to hlt
  // 7c75 disk: function in ah, on the sectors of the packet (BIOS interrupt 13h with extensions)
  code(0x8a, 0x16, 0xa3, 0x7c, 0xbe, 0x93, 0x7c, 0xcd, 0x13, 0xc3), // mov dl,[drive]; mov si,packet; int 13; ret
  // 7c7f send: the character in al to the serial port (BIOS interrupt 14h, function 1)
  code(0x52, 0xb4, 0x01, 0x31, 0xd2, 0xcd, 0x14, 0x5a, 0xc3), // push dx; mov ah,1; xor dx,dx; int 14; pop dx; ret
  // 7c88 print: from si to a zero byte
  code(0xac, 0x84, 0xc0, 0x74, 0x05), // lodsb; test al,al; jz to ret
  code(0xe8, 0xef, 0xff, 0xeb, 0xf6, 0xc3), // call send; jmp print; ret
  // 7c93 packet: size 16, two sectors, to 0000:8000, from sector 1
  code(0x10, 0x00, 0x02, 0x00, 0x00, 0x80, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00),
  code(0x00), // 7ca3 drive
  text('MILLRACE-MICRO boot=\0'), // 7ca4 hello
  text(' tag=\0'), // 7cb9 tag
  text('MILLRACE-MICRO power button, off'), // 7cbf bye
  text('\r\n\0'), // 7cdf line end
];
