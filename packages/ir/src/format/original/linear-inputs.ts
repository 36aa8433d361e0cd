import { EngineError } from '@neural-engine/core';
import type { IrOperator } from '../config';
import type { OriginalAttributes } from './attributes';
import type { Lift } from './lift';

/** An InnerProduct's inputs by what they are, whichever way round the file has them. */
export interface LinearInputs {
  /** The activation's value, and the file's name for it. */
  readonly x: string;
  readonly xTensor: string;
  readonly weight: string;
  /** The weight is stored [out, in]. */
  readonly transposed: boolean;
  readonly bias?: string;
  readonly post?: string;
  /** x_min, x_max, weight_min, weight_max of an int8 product. */
  readonly ranges?: readonly string[];
  readonly outRange?: readonly string[];
  /** Scale of each output channel of an int8 weight whose input is quantised at run time. */
  readonly weightScale?: string;
}

/**
 * Reads the positional inputs: two factors, bias, post operand, ranges of both factors, range of the result, and a tensor that only lends
 * its shape to a fused reshape. In transposed files the weight comes first, and with it its range.
 */
export function readLinearInputs(lift: Lift, operator: IrOperator, attributes: OriginalAttributes): LinearInputs {
  const names = [...operator.inputs];
  if (names.length < 2)
    throw new EngineError('E_IR', 'ir', `operator "${operator.name}" (InnerProduct) has ${names.length} inputs`, { where: operator.name });
  const weightFirst = lift.isConstant(names[0]!) && !lift.isConstant(names[1]!);
  const [xTensor, weightName] = weightFirst ? [names[1]!, names[0]!] : [names[0]!, names[1]!];
  if (attributes.text('reshape_dims') !== undefined && names.length > 2 && lift.isInput(names[names.length - 1]!)) names.pop();
  const weight = lift.constant(weightName, operator);
  const rest = names.slice(2);
  const append = attributes.text('append_op');
  const hasPost = append === 'sum' || append === 'binary_add';
  const integer = lift.graph.constant(weight)!.dtype === 's8';
  const transposed = weightFirst || attributes.text('src1_perm') === '0,1';
  const counted = rest.length - (hasPost ? 1 : 0);
  const rangeCount = integer ? (counted >= 6 ? 6 : 4) : 0;
  const hasBias = counted - rangeCount === 1;
  if (counted - rangeCount > 1 || counted < rangeCount) {
    throw new EngineError(
      'E_UNSUPPORTED',
      'ir',
      `operator "${operator.name}" (InnerProduct) has ${operator.inputs.length} inputs, a form that is not known`,
      { where: operator.name },
    );
  }
  const bias = hasBias ? lift.constant(rest[0]!, operator) : undefined;
  const post = hasPost ? lift.value(rest[hasBias ? 1 : 0]!, operator) : undefined;
  const view = lift.view(xTensor, operator);
  if (view.kind === 'tokens' && view.dynamic) {
    // Ranges are minimum and scale here, and those of the input come with it.
    const weightScale = integer && rangeCount === 4 ? lift.constant(rest.at(-1)!, operator) : undefined;
    return {
      x: view.name,
      xTensor,
      weight,
      transposed,
      ...(bias ? { bias } : {}),
      ...(post ? { post } : {}),
      ...(weightScale ? { weightScale } : {}),
    };
  }
  const tail = rest.slice(rest.length - rangeCount).map((name) => lift.constant(name, operator));
  const [first, second] = [tail.slice(0, 2), tail.slice(2, 4)];
  return {
    x: lift.value(xTensor, operator),
    xTensor,
    weight,
    transposed,
    ...(bias ? { bias } : {}),
    ...(post ? { post } : {}),
    ...(integer ? { ranges: weightFirst ? [...second, ...first] : [...first, ...second], outRange: tail.slice(4, 6) } : {}),
  };
}
