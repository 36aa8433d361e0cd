import { statSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * True for what no rename may replace: devices, pipes, and names such as `/dev/stdout`, which are links into a process even where they end
 * at a file. Such an output is neither locked nor whole or nothing.
 */
export function isWrittenInPlace(path: string): boolean {
  if (/^\/(?:proc|dev(?!\/shm\/))\//.test(resolve(path))) return true;
  try {
    const stats = statSync(path);
    return !stats.isFile() && !stats.isDirectory();
  } catch {
    return false;
  }
}
