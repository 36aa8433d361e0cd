import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { EngineError } from '@neural-engine/core';
import type { Context, SectionSpec } from '../../context';
import type { Section } from '../../record';
import { rowsOf } from './lines';

const manifest = fileURLToPath(new URL('../../../../../rust-kernels/Cargo.toml', import.meta.url));

/** The distances are constants of the kernels; what times others is a program of its own, which nobody installs. */
async function prefetch({ quick, step }: Context): Promise<Section[]> {
  step('building examples/prefetch.rs, then every distance of every kernel');
  const example = ['--release', '--quiet', '--manifest-path', manifest, '-p', 'neural-engine-runtime', '--example', 'prefetch'];
  const { status, stdout, error } = spawnSync('cargo', ['run', ...example, '--', ...(quick ? ['--quick'] : [])], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (error)
    throw new EngineError('E_INTERNAL', 'run', `cargo could not be started (${error.message}); this section builds a program with it`);
  if (status !== 0) throw new EngineError('E_INTERNAL', 'run', `the example "prefetch" failed (exit status ${status})`);
  const note =
    'A pass over the weights of DistilBERT-base layers (80% zeros where sparse) that come from there, by 128 tokens, as a multiple of the speed without prefetch. One core; distances in turn, the sum of the fastest runs of each product. Weights in small pages, as in the mapped file, unless said.';
  return [{ title: 'Weight prefetch', note, rows: rowsOf(stdout) }];
}

export const prefetchSection: SectionSpec = {
  name: 'prefetch',
  about: 'weight prefetch at several distances, weights from L2, L3 and memory, against none; builds with cargo',
  onDemand: true,
  runs: [{ pinned: true, run: prefetch }],
};
