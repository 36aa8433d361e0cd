import { createRequire } from 'node:module';
import { EngineError } from '@neural-engine/core';
import * as installed from '@neural-engine/kernels';

/** Version of the programs and packed weights that this package writes. */
export const ABI = 4;

let checked = false;

/**
 * The kernels, which have versions of their own; nothing of them is used before their ABI is known to be ours.
 *
 * @throws {EngineError} E_ISA the installed kernels are of another ABI; the message names both versions and what mends it.
 */
export function kernels(): typeof installed {
  if (!checked && installed.ABI !== ABI) {
    const [own, theirs] = ['../package.json', '@neural-engine/kernels/package.json'].map(versionOf);
    const message = `@neural-engine/runtime ${own} writes programs of ABI ${ABI}, @neural-engine/kernels ${theirs} runs those of ABI ${installed.ABI}; run "npm install @neural-engine/runtime@latest @neural-engine/kernels@latest"`;
    throw new EngineError('E_ISA', 'load', message);
  }
  checked = true;
  return installed;
}

const versionOf = (manifest: string): string => (createRequire(import.meta.url)(manifest) as { version: string }).version;
