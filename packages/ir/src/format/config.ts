/** A scalar of conf.yaml, as written: the original's reader takes every attribute as text. */
export interface IrScalar {
  readonly text: string;
  /** Written between single quotes (a string that looks like a number). */
  readonly quoted: boolean;
}

/** Type, shape and place of a tensor, as far as the file says. */
export interface IrTensor {
  readonly name: string;
  /** The file's own spelling. */
  readonly dtype?: string;
  /** −1 is dynamic. */
  readonly shape?: readonly number[];
  readonly strides?: readonly number[];
  /** Byte offset and length in the weights; constants only. */
  readonly location?: readonly [number, number];
}

export interface IrOperator {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly IrTensor[];
  /** undefined where the file has no `attr`. */
  readonly attributes?: ReadonlyMap<string, IrScalar>;
}

/** What this project adds, under one key that the original's reader ignores. */
export interface IrExtra {
  readonly formatVersion: number;
  readonly producer: string;
  /** SHA-256 of the weights file in hexadecimal, and its size. */
  readonly weightsDigest: string;
  readonly weightsBytes: number;
  /** Symbolic dimensions of inputs and outputs by name; `?` where unknown. */
  readonly shapes: ReadonlyMap<string, readonly string[]>;
}

/** conf.yaml as data, in file order; nothing of the file is lost but comments. */
export interface IrConfig {
  readonly name: string;
  readonly operators: readonly IrOperator[];
  readonly extra?: IrExtra;
}

export const FORMAT_VERSION = 1;
