import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Who may import whom besides core; the table of apps/docs/architecture.md. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  onnx: [],
  ir: [],
  kernels: [],
  compiler: ['onnx', 'ir'],
  sparsity: ['ir'],
  transpose: ['ir', 'sparsity'],
  runtime: ['ir', 'sparsity', 'transpose', 'kernels'],
  quantizer: ['onnx', 'ir', 'compiler'],
  text: [],
  evaluation: ['text'],
  engine: ['onnx', 'ir', 'kernels', 'compiler', 'sparsity', 'transpose', 'runtime', 'quantizer', 'text', 'evaluation'],
  'demo-model': [],
};

const packages = fileURLToPath(new URL('../packages', import.meta.url));
const SCOPE = '@neural-engine/';

function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.includes('generated') && !/\.test(-d)?\.ts$/.test(file))
    .map((file) => join(directory, file));
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!).filter((name) => name.startsWith(SCOPE));
}

describe('the dependency table', () => {
  it('names every package', () => {
    expect(readdirSync(packages).sort()).toEqual(Object.keys(ALLOWED).sort());
  });
  it.each(Object.keys(ALLOWED))('%s imports only what the table allows, by name', (name) => {
    const allowed = new Set(['core', ...ALLOWED[name]!].map((other) => SCOPE + other));
    for (const file of sources(join(packages, name, 'src'))) {
      for (const imported of importsOf(readFileSync(file, 'utf8'))) expect(allowed, `${file} imports ${imported}`).toContain(imported);
    }
  });
  it.each(Object.keys(ALLOWED))('%s declares what it imports', (name) => {
    const manifest = JSON.parse(readFileSync(join(packages, name, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> };
    for (const file of sources(join(packages, name, 'src'))) {
      for (const imported of importsOf(readFileSync(file, 'utf8')))
        expect(Object.keys(manifest.dependencies ?? {}), file).toContain(imported);
    }
  });
});
