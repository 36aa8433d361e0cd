import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { load } from '@neural-engine/engine';
import { readIr, writeOriginalIr } from '@neural-engine/ir';
import { type OnnxModel, writeModel } from '@neural-engine/onnx';
import { transposeGraph } from '@neural-engine/transpose';
import { BASE, encoderModel } from '../../../../tooling/models/encoder';
import type { Context, SectionSpec } from '../context';
import { tokenFeeds } from '../feeds';
import { barOf } from '../goals';
import type { Models } from '../models';
import { withIntegerProducts, withQdq } from '../qdq';
import { type Contestant, fastestOf, median, minimum, pairedRatio, race, timed } from '../race';
import type { Row, Section } from '../record';

const script = fileURLToPath(new URL('../peer.py', import.meta.url));

/** The model that all of them run, in the form of one of them: a file, made once. */
async function written({ folder }: Models, file: string, form: (model: OnnxModel) => OnnxModel): Promise<string> {
  const path = join(folder, file);
  if (!existsSync(path)) await writeModel(form(encoderModel({ ...BASE, family: 'distilbert', sparsity: 0.8, seed: 11 })), path);
  return path;
}

/** Engines that have Python wheels, the variable that names the Python which has each, and the file each runs. */
const PEERS = [
  {
    name: 'openvino',
    title: 'OpenVINO',
    variable: 'NE_PEER_OPENVINO',
    model: (models: Models): Promise<string> => written(models, 'base-80-qdq.onnx', withQdq),
  },
  {
    name: 'deepsparse',
    title: 'DeepSparse',
    variable: 'NE_PEER_DEEPSPARSE',
    model: (models: Models): Promise<string> => written(models, 'base-80-integer.onnx', withIntegerProducts),
  },
  {
    name: 'original',
    title: "the original's engine, on our transposed IR",
    variable: 'NE_PEER_ORIGINAL',
    model: async (models: Models): Promise<string> => {
      const path = join(models.folder, 'base-80-original');
      const { graph } = transposeGraph(await readIr(await models.baseInt8()));
      if (!existsSync(path)) await writeOriginalIr(graph, path, { allowTanhGelu: true, singleLogits: true });
      return path;
    },
  },
] as const;

/** A Python process that runs its model once for each line it is sent, and says how many milliseconds that took. */
class Peer {
  private readonly waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('peer ')) this.waiting.shift()?.resolve(line.slice('peer '.length));
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-400);
    });
    child.on('exit', () => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(said.trim().split('\n').at(-1) ?? 'it ended'));
    });
  }

  /** @returns the process, and the version of its engine. */
  static async start(python: string, name: string, model: string, batch: number, seqLen: number): Promise<{ peer: Peer; version: string }> {
    const peer = new Peer(
      spawn(python, [script, name, model, String(batch), String(seqLen)], { env: { ...process.env, OMP_NUM_THREADS: '1' } }),
    );
    return { peer, version: await peer.next() };
  }

  private next(): Promise<string> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  readonly run: Contestant = async () => {
    this.child.stdin.write('\n');
    return Number(await this.next());
  };

  close(): void {
    this.child.kill();
  }
}

/** Whole models, embeddings to logits, on one core. */
async function againstPeers({ quick, models, step }: Context): Promise<Section[]> {
  const rows: Row[] = [];
  const title = 'Whole int8 models against other engines: DistilBERT-base shape, 80% zeros, one core';
  if (PEERS.every(({ variable }) => !process.env[variable])) {
    const absent = PEERS.map(({ title: what, variable }) => ({
      what,
      measured: null,
      unit: '×',
      detail: `${variable} names no Python that has it`,
    }));
    return [{ title, rows: absent }];
  }
  const session = await (await load(await models.baseInt8(), { cache: models.cache })).session({ threads: 1 });
  for (const [batch, seqLen] of [
    [1, 128],
    [8, 128],
    [1, 384],
  ] as const) {
    step(`batch ${batch}, ${seqLen} tokens, against other engines`);
    const feeds = tokenFeeds({ batch, seqLen });
    const contestants = new Map<string, Contestant>([['ours', timed(() => session.run(feeds))]]);
    const peers: Peer[] = [];
    for (const { name, title, variable, model } of PEERS) {
      const python = process.env[variable];
      const what = `batch ${batch}, ${seqLen} tokens, against ${title}`;
      try {
        if (!python) throw new Error(`${variable} names no Python that has it`);
        const { peer, version } = await Peer.start(python, name, await model(models), batch, seqLen);
        peers.push(peer);
        contestants.set(`${title} ${version}`, peer.run);
      } catch (error) {
        rows.push({ what, measured: null, unit: '×', detail: (error as Error).message });
      }
    }
    const theirs = [...contestants.keys()].slice(1);
    if (theirs.length === 0) continue;
    const times = await race(contestants, { seconds: quick ? 2 : 8, atLeast: 5 });
    for (const peer of peers) peer.close();
    const best = fastestOf(times, theirs);
    for (const name of theirs) {
      rows.push({
        what: `batch ${batch}, ${seqLen} tokens, against ${name}`,
        measured: pairedRatio(times, 'ours', name),
        unit: '×',
        detail: `${median(times.get('ours')!).toFixed(2)} ms, at best ${minimum(times.get('ours')!).toFixed(2)}; theirs ${median(times.get(name)!).toFixed(2)}, at best ${minimum(times.get(name)!).toFixed(2)}`,
        ...(name === best ? barOf('peers') : {}),
      });
    }
  }
  await session.close();
  const note =
    'Each in a process of its own on the same core, runs in turn. OpenVINO runs the model with Q/DQ pairs, DeepSparse with integer products, the original our transposed IR.';
  return [{ title, note, rows }];
}

export const peersSection: SectionSpec = {
  name: 'peers',
  about: 'whole models against OpenVINO, DeepSparse and the original, where NE_PEER_… name their Pythons',
  runs: [{ pinned: true, run: againstPeers }],
};
