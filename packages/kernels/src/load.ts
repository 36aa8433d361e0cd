import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '@neural-engine/core';
import type * as Binding from './generated/binding';

/** Version of the program format, of packed weights and of the native functions that this package speaks. */
export const ABI = 1;

/** The functions of the native library. */
export type Native = typeof Binding;

let loaded: Native | undefined;

/**
 * The native library, loaded at the first call: `NE_NATIVE_PATH` if set, else this package's own build, else the platform package.
 *
 * @throws {EngineError} E_ISA no library for this platform could be loaded; the message says what was tried and what to install.
 */
export function native(): Native {
  loaded ??= load();
  return loaded;
}

/** `linux-x64-gnu`, `darwin-arm64`, …: the name of this platform in package names. */
export function platformTriple(): string {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
  if (platform === 'win32') return `win32-${arch}-msvc`;
  return `${platform}-${arch}`;
}

function isMusl(): boolean {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header !== undefined && !report.header.glibcVersionRuntime;
}

function load(): Native {
  const triple = platformTriple();
  const platformPackage = `@neural-engine/kernels-${triple}`;
  // The sources and the build both lie one folder below the package's root.
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const override = process.env['NE_NATIVE_PATH'];
  const candidates = override ? [override] : [join(root, 'npm', triple, `neural-engine.${triple}.node`), platformPackage];
  const require = createRequire(import.meta.url);
  const tried: string[] = [];
  let cause: unknown;
  for (const candidate of candidates) {
    let binding: Native;
    try {
      binding = require(candidate) as Native;
    } catch (error) {
      tried.push(`${candidate}: ${firstLine(error)}`);
      cause = error;
      continue;
    }
    const abi = typeof binding.abi === 'function' ? binding.abi() : undefined;
    if (abi !== ABI) {
      const message = `@neural-engine/kernels speaks ABI ${ABI}, the native library ${candidate} speaks ABI ${abi ?? 'unknown'}; install the same version of @neural-engine/kernels and ${platformPackage}, or build the library again`;
      throw new EngineError('E_ISA', 'load', message);
    }
    return binding;
  }
  const help = override
    ? 'NE_NATIVE_PATH names the library to load; unset it to use the installed one'
    : `install ${platformPackage} (npm leaves optional packages out of a lock file made on another platform: delete node_modules and package-lock.json and install again), or build it with "pnpm --filter @neural-engine/native build"`;
  const message = `no native kernels for ${triple} (Node ${process.versions.node}) could be loaded; tried\n${tried.map((line) => `  ${line}`).join('\n')}\n${help}`;
  throw new EngineError('E_ISA', 'load', message, { cause });
}

const firstLine = (error: unknown): string => String(error instanceof Error ? error.message : error).split('\n', 1)[0]!;
