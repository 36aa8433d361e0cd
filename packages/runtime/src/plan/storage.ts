import type { DType } from '@neural-engine/core';
import { dtypeBytes } from '@neural-engine/core';
import type { BufferSpec, ComputeDType, Layout, Place } from '@neural-engine/kernels';
import { allocate } from './allocate';

/** Tokens in a panel. */
export const PANEL_TOKENS = 64;

/** Memory that one or more buffers view; its place is decided when all uses are known. */
export interface Storage {
  /** Fixed places (inputs, outputs, weights, constants); undefined for what the planner allocates. */
  readonly fixed?: Place;
  /** Bytes when shared by all units. */
  readonly arenaBytes: number;
  /** Bytes when a unit has it for itself; undefined for row-major storage. */
  readonly unitBytes?: number;
  /** Read or written by other units than the one that made it. */
  shared: boolean;
  first: Moment;
  last: Moment;
}

export interface Moment {
  region: number;
  step: number;
}

/** Hands out storages and buffers, records uses, and finally places everything. */
export class StoragePlan {
  private readonly storages: Storage[] = [];
  private readonly buffers: { storage: Storage; dtype: ComputeDType; layout: Layout }[] = [];

  /** Memory for panels of `features` rows: `panels` of them in all, `group` in a unit. */
  panels(features: number, dtype: DType, panels: number, group: number): Storage {
    const one = features * PANEL_TOKENS * dtypeBytes(dtype);
    return this.storage({ arenaBytes: one * panels, unitBytes: one * group });
  }

  rows(dtype: DType, elements: number): Storage {
    return this.storage({ arenaBytes: Math.max(elements * dtypeBytes(dtype), 1) });
  }

  fixed(place: Place): Storage {
    return this.storage({ fixed: place, arenaBytes: 0 });
  }

  buffer(storage: Storage, dtype: ComputeDType, layout: Layout): number {
    this.buffers.push({ storage, dtype, layout });
    return this.buffers.length - 1;
  }

  /** Notes that the buffer is touched at this moment. */
  use(buffer: number, at: Moment, shared = false): void {
    const { storage } = this.buffers[buffer]!;
    if (storage.first.region < 0) storage.first = { ...at };
    storage.last = { ...at };
    storage.shared ||= shared || storage.first.region !== at.region;
  }

  place(): { buffers: BufferSpec[]; arenaBytes: number; scratchBytes: number } {
    const free = this.storages.filter((storage) => !storage.fixed && storage.first.region >= 0);
    const inUnit = free.filter((storage) => storage.unitBytes !== undefined && !storage.shared);
    const inArena = free.filter((storage) => storage.unitBytes === undefined || storage.shared);
    const arena = allocate(
      inArena.map((storage) => ({ bytes: storage.arenaBytes, first: storage.first.region, last: storage.last.region })),
    );
    // Scratch is recycled step by step inside a region, and as a whole between regions.
    const moment = (at: Moment): number => at.region * 4096 + at.step;
    const scratch = allocate(
      inUnit.map((storage) => ({ bytes: storage.unitBytes!, first: moment(storage.first), last: moment(storage.last) })),
    );
    const places = new Map<Storage, Place>();
    inArena.forEach((storage, i) => {
      places.set(storage, { arena: arena.offsets[i]! });
    });
    inUnit.forEach((storage, i) => {
      places.set(storage, { scratch: scratch.offsets[i]! });
    });
    const buffers = this.buffers.map(({ storage, dtype, layout }) => ({
      place: storage.fixed ?? places.get(storage) ?? { arena: 0 },
      dtype,
      layout,
    }));
    return { buffers, arenaBytes: arena.bytes, scratchBytes: scratch.bytes };
  }

  private storage(parts: Pick<Storage, 'fixed' | 'arenaBytes' | 'unitBytes'>): Storage {
    const storage: Storage = { ...parts, shared: false, first: { region: -1, step: -1 }, last: { region: -1, step: -1 } };
    this.storages.push(storage);
    return storage;
  }
}
