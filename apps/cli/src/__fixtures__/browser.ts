import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** A browser to open pages with; undefined, and said so, where there is none. */
export function findBrowser(): string | undefined {
  const named = process.env['NE_BROWSER'];
  const found = [...(named ? [named] : []), ...NAMES].find((name) => spawnSync(name, ['--version']).status === 0);
  if (!found) process.stderr.write(`pages in a browser: not tested, none of ${NAMES.join(', ')} is installed (NE_BROWSER names another)\n`);
  return found;
}

/** What the browser makes of a file: the document after loading, and what it complained of. */
export function openPage(browser: string, file: string): { dom: string; complaints: string[] } {
  const profile = mkdtempSync(join(tmpdir(), 'ne-browser-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${profile}`, '--enable-logging=stderr'];
  try {
    const { stdout, stderr, status } = spawnSync(browser, [...flags, '--dump-dom', `file://${file}`], { encoding: 'utf8', timeout: 60_000 });
    if (status !== 0) throw new Error(`${browser} ended with ${status}: ${stderr.slice(0, 500)}`);
    return { dom: stdout, complaints: stderr.split('\n').filter((line) => /CONSOLE|Refused|ERR_/.test(line)) };
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}
