import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { choose, files } from './third-party';

describe('the licences of what we ship', () => {
  it('are all accepted, and THIRD-PARTY.md lists them as they are now', () => {
    for (const [file, text] of files()) {
      const name = relative(process.cwd(), file);
      expect(readFileSync(file, 'utf8'), `${name} is out of date: npx tsx tooling/packaging/third-party.ts`).toBe(text);
    }
  });
  it('names what stands under terms that we do not accept', () => {
    expect(() => choose('left-pad', 'GPL-3.0-only')).toThrow(/left-pad is under "GPL-3.0-only"/);
    expect(choose('memchr', 'Unlicense OR MIT')).toBe('Unlicense');
  });
});
