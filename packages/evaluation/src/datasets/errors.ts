import { EngineError } from '@neural-engine/core';

/** A dataset whose content is wrong, at a line or index. */
export const datasetError = (message: string, where?: string, cause?: unknown): EngineError =>
  new EngineError('E_DATASET', 'evaluate', where === undefined ? message : `${where}: ${message}`, {
    ...(where === undefined ? {} : { where }),
    cause,
  });

export const datasetLimit = (message: string, where?: string): EngineError =>
  new EngineError('E_LIMIT', 'evaluate', where === undefined ? message : `${where}: ${message}`, where === undefined ? {} : { where });

/** What to do with a bad record: stop with the error, or leave it out and count it. */
export type OnError = 'fail' | 'skip';

/** What a reader returns. */
export interface Dataset<Example> {
  readonly examples: readonly Example[];
  /** Records left out because of `onError: 'skip'`, with the reasons of the first hundred. */
  readonly skipped: number;
  readonly reasons: readonly string[];
}

const REASONS_KEPT = 100;

/** Collects examples and applies the policy for bad ones. */
export class ExampleCollector<Example> {
  readonly #examples: Example[] = [];
  readonly #reasons: string[] = [];
  #skipped = 0;

  constructor(private readonly onError: OnError) {}

  get count(): number {
    return this.#examples.length;
  }

  /** Runs `make`; under `skip` an E_DATASET error counts the record out instead. */
  add(make: () => Example): void {
    try {
      this.#examples.push(make());
    } catch (error) {
      if (this.onError !== 'skip' || !EngineError.isInstance(error) || error.code !== 'E_DATASET') throw error;
      this.#skipped++;
      if (this.#reasons.length < REASONS_KEPT) this.#reasons.push(error.message);
    }
  }

  /** @throws {EngineError} E_DATASET nothing usable was found. */
  finish(where: string): Dataset<Example> {
    if (this.#examples.length === 0) {
      const detail = this.#skipped > 0 ? `all ${this.#skipped} records are bad; the first: ${this.#reasons[0]}` : 'it holds no record';
      throw datasetError(detail, where);
    }
    return { examples: this.#examples, skipped: this.#skipped, reasons: this.#reasons };
  }
}
