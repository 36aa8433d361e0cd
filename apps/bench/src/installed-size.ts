import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../../../packages/', import.meta.url));

function bytesBelow(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), 0);
}

/** Bytes of what `npm install @neural-engine/engine` unpacks of this workspace for this platform; undefined before it is built. */
export function installedSize(): number | undefined {
  const seen = new Set<string>();
  let size = 0;
  const add = (name: string): boolean => {
    if (seen.has(name)) return true;
    seen.add(name);
    const folder = join(packages, name);
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      files?: string[];
      dependencies?: Record<string, string>;
    };
    for (const file of [...(manifest.files ?? []), 'package.json', 'README.md']) {
      const path = join(folder, file);
      if (existsSync(path)) size += bytesBelow(path);
      else if (file === 'dist') return false;
    }
    return Object.keys(manifest.dependencies ?? {})
      .filter((dependency) => dependency.startsWith('@neural-engine/'))
      .every((dependency) => add(dependency.slice('@neural-engine/'.length)));
  };
  if (!add('engine')) return undefined;
  const platforms = join(packages, 'kernels', 'npm');
  const native = readdirSync(platforms).filter((triple) => readdirSync(join(platforms, triple)).some((file) => file.endsWith('.node')));
  return native.length === 0 ? undefined : size + Math.max(...native.map((triple) => bytesBelow(join(platforms, triple))));
}
