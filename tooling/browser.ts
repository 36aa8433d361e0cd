// For tests: pages in a browser, as pixels.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';

/** A picture as RGB, three bytes a pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** The command of an installed Chromium. */
export function findBrowser(): string | undefined {
  return ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/** Opens a file headless and takes its picture. @throws what the browser printed, when it made none. */
export function screenshot(browser: string, html: string, options: { width: number; height: number; folder: string }): Picture {
  const png = join(options.folder, `screenshot-${process.pid}-${Date.now()}.png`);
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', `--user-data-dir=${options.folder}/profile`];
  const { status, stderr } = spawnSync(
    browser,
    [...flags, `--window-size=${options.width},${options.height}`, `--screenshot=${png}`, `file://${html}`],
    { encoding: 'utf8', timeout: 50_000 },
  );
  if (status !== 0 || !existsSync(png)) throw new Error(`${browser} made no picture (status ${status}): ${stderr}`);
  return decodePng(readFileSync(png));
}

/** Pixels for which the claim holds. */
export function count(pixels: Uint8Array, holds: (r: number, g: number, b: number) => boolean): number {
  let sum = 0;
  for (let at = 0; at < pixels.length; at += 3) if (holds(pixels[at]!, pixels[at + 1]!, pixels[at + 2]!)) sum++;
  return sum;
}

/** An 8-bit PNG without interlacing, as RGB. */
function decodePng(png: Buffer): Picture {
  const [width, height, channels] = [png.readUInt32BE(16), png.readUInt32BE(20), png[25] === 6 ? 4 : 3];
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at))
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') parts.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  const data = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const lines = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? lines[y * stride + x - channels]! : 0;
      const up = y > 0 ? lines[(y - 1) * stride + x]! : 0;
      const corner = y > 0 && x >= channels ? lines[(y - 1) * stride + x - channels]! : 0;
      const guess = left + up - corner;
      const [dl, du, dc] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      const paeth = dl <= du && dl <= dc ? left : du <= dc ? up : corner;
      lines[y * stride + x] = data[y * (stride + 1) + 1 + x]! + [0, left, up, (left + up) >> 1, paeth][filter]!;
    }
  }
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) pixels.set(lines.subarray(i * channels, i * channels + 3), i * 3);
  return { width, height, pixels };
}
