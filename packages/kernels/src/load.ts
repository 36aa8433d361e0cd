import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from '@neural-engine/core';
import type * as Binding from './generated/binding';

/** Version of the program format, of packed weights and of the native functions that this package speaks. */
export const ABI = 4;

/** Platforms that a prebuilt library is published for. */
export const PREBUILT = ['linux-x64-gnu', 'linux-x64-musl', 'linux-arm64-gnu', 'darwin-arm64', 'win32-x64-msvc'] as const;

/** The functions of the native library. */
export type Native = typeof Binding;

let loaded: Native | undefined;

/**
 * The native library, loaded at the first call: `NE_NATIVE_PATH` if set, else this package's own build, else the platform package.
 *
 * @throws {EngineError} E_ISA no library for this platform could be loaded, or it is of another ABI; the message says what was tried and
 * what to install.
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

const require = createRequire(import.meta.url);
const BUILD = 'pnpm --filter @neural-engine/native build';

/** The version in a manifest, for messages. */
function versionOf(manifest: string): string {
  try {
    return (require(manifest) as { version: string }).version;
  } catch {
    return 'of unknown version';
  }
}

function load(): Native {
  const triple = platformTriple();
  const platformPackage = `@neural-engine/kernels-${triple}`;
  // The sources and the build both lie one folder below the package's root.
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const version = versionOf(join(root, 'package.json'));
  const local = join(root, 'npm', triple, `neural-engine.${triple}.node`);
  // A clone of the repository has the platform packages inside; what is installed has not.
  const mend = existsSync(dirname(local)) ? `run "${BUILD}"` : `run "npm install ${platformPackage}@${version}"`;
  const override = process.env['NE_NATIVE_PATH'];
  const tried: string[] = [];
  let cause: unknown;
  for (const candidate of override ? [override] : [local, platformPackage]) {
    let binding: Native;
    try {
      binding = require(candidate) as Native;
    } catch (error) {
      tried.push(`${candidate}: ${reason(error, candidate)}`);
      cause = error;
      continue;
    }
    const abi = typeof binding.abi === 'function' ? binding.abi() : 'unknown';
    if (abi === ABI) return binding;
    const library =
      candidate === platformPackage ? `${candidate} ${versionOf(`${candidate}/package.json`)}` : `the native library ${candidate}`;
    const what = `@neural-engine/kernels ${version} speaks ABI ${ABI}, ${library} speaks ABI ${abi}`;
    throw new EngineError('E_ISA', 'load', `${what}; ${override ? 'NE_NATIVE_PATH names that library; unset it' : mend}`);
  }
  const what = `no native kernels for ${triple} (Node ${process.versions.node}) could be loaded; tried`;
  const lines = tried.map((line) => `  ${line}`);
  throw new EngineError('E_ISA', 'load', [what, ...lines, override ? OVERRIDDEN : help(triple, mend)].join('\n'), { cause });
}

const OVERRIDDEN = 'NE_NATIVE_PATH names the library to load; unset it to use the installed one';

function help(triple: string, mend: string): string {
  if (!(PREBUILT as readonly string[]).includes(triple))
    return `prebuilt libraries exist for ${PREBUILT.join(', ')}; from a clone of the repository, "${BUILD}" makes one for this platform and NE_NATIVE_PATH names it`;
  if (mend.includes(BUILD)) return mend;
  return `${mend}
It is an optional dependency: --no-optional and --omit=optional leave it out, and so does a package-lock.json that npm made on another platform (then delete node_modules and package-lock.json, and install again).`;
}

function reason(error: unknown, candidate: string): string {
  const [first] = String(error instanceof Error ? error.message : error).split('\n', 1);
  return first === `Cannot find module '${candidate}'` ? 'not found' : first!;
}
