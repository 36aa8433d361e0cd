// Writes THIRD-PARTY.md: what others wrote and our packages install or contain. `npx tsx tooling/packaging/third-party.ts` renews it.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const platforms = join(root, 'packages/kernels/npm');

/** Somebody else's work under one licence. */
export interface Component {
  readonly name: string;
  readonly version: string;
  /** SPDX expression as its author states it. */
  readonly licence: string;
  /** The alternative of the expression that we use it under. */
  readonly chosen: string;
  /** The copyright line that its licence asks to keep. */
  readonly copyright: string;
}

/** Licences that may be in what we publish, the one to choose first at the head. */
export const ACCEPTED: readonly string[] = ['Apache-2.0', 'Unlicense', 'MIT', 'ISC', 'BSD-3-Clause'];

/** @throws {Error} none of the alternatives is accepted. */
export function choose(name: string, expression: string): string {
  const offered = expression.split(/ OR |\//);
  const chosen = ACCEPTED.find((licence) => offered.includes(licence));
  if (!chosen) throw new Error(`${name} is under "${expression}", which is not among the accepted licences ${ACCEPTED.join(', ')}`);
  return chosen;
}

function copyrightIn(folder: string, fallback: string): string {
  for (const file of readdirSync(folder).filter((name) => /^licen[cs]e/i.test(name))) {
    const line = /^\W*(copyright\b.*(\d{4}|\w+ \w+).*)$/im.exec(
      readFileSync(join(folder, file), 'utf8').replace(/the above copyright.*/gi, ''),
    );
    if (line) return line[1]!.replace(/,? all rights reserved\.?/i, '').trim();
  }
  return `Copyright ${fallback}`;
}

interface Manifest {
  name: string;
  version: string;
  license: string;
  author?: string | { name: string };
  private?: boolean;
  dependencies?: Record<string, string>;
}

/** Packages from the registry that installing our packages brings, transitively. */
export function npmComponents(): Component[] {
  const found = new Map<string, Component>();
  const visit = (folder: string): void => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      // pnpm puts dependencies beside a package from the registry, and below a package of the workspace.
      const place = [
        join(folder, 'node_modules', name),
        join(folder.slice(0, folder.lastIndexOf('node_modules')), 'node_modules', name),
      ].find(existsSync);
      if (!place) throw new Error(`${name}, which ${manifest.name} needs, is not installed`);
      const at = realpathSync(place);
      if (name.startsWith('@neural-engine/') || found.has(name)) continue;
      const { version, license, author } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as Manifest;
      const holder = typeof author === 'string' ? author : (author?.name ?? name);
      found.set(name, {
        name,
        version,
        licence: license,
        chosen: choose(name, license),
        copyright: copyrightIn(at, holder.replace(/ <.*/, '')),
      });
      visit(at);
    }
  };
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      const folder = join(root, group, name);
      const manifest = join(folder, 'package.json');
      if (existsSync(manifest) && !(JSON.parse(readFileSync(manifest, 'utf8')) as Manifest).private) visit(folder);
    }
  }
  return sorted(found.values());
}

interface Crate {
  id: string;
  name: string;
  version: string;
  license: string;
  authors: string[];
  manifest_path: string;
  source: string | null;
}

/** Crates whose code is in the native library, on any platform. Macros and build scripts run only while it is built. */
export function crateComponents(): Component[] {
  const manifest = ['--manifest-path', join(root, 'rust-kernels/Cargo.toml'), '--locked'];
  const cargo = (...args: string[]): string =>
    execFileSync('cargo', args, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  const tree = cargo(
    'tree',
    ...manifest,
    '-p',
    'neural-engine-binding',
    '-e',
    'normal,no-proc-macro',
    '--target',
    'all',
    '--prefix',
    'none',
    '--format',
    '{p}',
  );
  const linked = new Set([...tree.matchAll(/^(\S+) v(\S+)/gm)].map(([, name, version]) => `${name} ${version}`));
  const { packages } = JSON.parse(cargo('metadata', ...manifest, '--format-version', '1')) as { packages: Crate[] };
  const crates = packages.filter(({ name, version, source }) => source !== null && linked.has(`${name} ${version}`));
  return sorted(
    crates.map(({ name, version, license, authors, manifest_path }) => {
      const holders = authors.map((author) => author.replace(/ <.*/, '')).join(', ') || `the ${name} authors`;
      return { name, version, licence: license, chosen: choose(name, license), copyright: copyrightIn(dirname(manifest_path), holders) };
    }),
  );
}

const sorted = (all: Iterable<Component>): Component[] => [...all].sort((a, b) => (a.name < b.name ? -1 : 1));

const table = (all: readonly Component[]): string =>
  [
    '| name | version | licence | used under | copyright |',
    '| --- | --- | --- | --- | --- |',
    ...all.map(
      (one) =>
        `| ${one.name} | ${one.version} | ${one.licence} | ${one.chosen} | ${one.chosen === 'Apache-2.0' || one.chosen === 'Unlicense' ? '' : one.copyright} |`,
    ),
  ].join('\n');

/** Terms of the licences that ask for their text beside a binary; Apache-2.0 is in LICENSE. */
const TEXTS: Readonly<Record<string, string>> = {
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR
ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
  ISC: `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided that the
above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY
DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`,
};

function terms(all: readonly Component[]): string {
  const used = Object.keys(TEXTS).filter((licence) => all.some(({ chosen }) => chosen === licence));
  return used.map((licence) => `## ${licence}\n\n${TEXTS[licence]}\n`).join('\n');
}

/** Every file that {@link write} writes, with its content. */
export function files(): Map<string, string> {
  const crates = crateComponents();
  const inBinary = `The native library holds code of these crates. What is used under Apache-2.0 is under the terms of LICENSE.\n\n${table(crates)}\n`;
  const renewed = '<!-- Made by tooling/packaging/third-party.ts. -->';
  const out = new Map([
    [
      join(root, 'THIRD-PARTY.md'),
      `${renewed}\n# Works of others\n\n## Installed beside our packages\n\n${table(npmComponents())}\n\nEach comes from the npm registry with its own licence file.\n\n## Inside the native library\n\n${inBinary}\nThe terms are in each platform package's own THIRD-PARTY.md.\n`,
    ],
  ]);
  for (const platform of readdirSync(platforms)) {
    out.set(join(platforms, platform, 'THIRD-PARTY.md'), `${renewed}\n# Works of others in this library\n\n${inBinary}\n${terms(crates)}`);
  }
  return out;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const [file, text] of files()) writeFileSync(file, text);
