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

  /** Adds what `make` returns; where that throws, {@link leaveOut}. */
  add(make: () => Example): void {
    const example = this.attempt(make);
    if (example !== undefined) this.#examples.push(example);
  }

  /** What `make` returns; undefined where a record was left out because of it. */
  attempt<Part>(make: () => Part): Part | undefined {
    try {
      return make();
    } catch (error) {
      this.leaveOut(error);
      return undefined;
    }
  }

  /** Throws the error; under `skip` an E_DATASET counts a record out instead. */
  readonly leaveOut = (error: unknown): void => {
    if (this.onError !== 'skip' || !EngineError.isInstance(error) || error.code !== 'E_DATASET') throw error;
    this.#skipped++;
    if (this.#reasons.length < REASONS_KEPT) this.#reasons.push(error.message);
  };

  /** @throws {EngineError} E_DATASET nothing usable was found. */
  finish(where: string): Dataset<Example> {
    if (this.#examples.length === 0) {
      const detail = this.#skipped > 0 ? `all ${this.#skipped} records are bad; the first: ${this.#reasons[0]}` : 'it holds no record';
      throw datasetError(detail, where);
    }
    return { examples: this.#examples, skipped: this.#skipped, reasons: this.#reasons };
  }
}
