import type { Limits } from '@neural-engine/core';
import { fail, quote } from '../errors';
import { Place } from '../place';
import type { OnnxModel } from '../types';
import { checkFunctions } from './functions';
import { checkGraph, DEFAULT_CHECK_LIMITS } from './graph';
import { Scope } from './scope';

/** The newest versions of the format and of the default operator set that this package knows. */
export const NEWEST_IR_VERSION = 13;
export const NEWEST_OPSET = 27;

function checkVersions(model: OnnxModel): void {
  const { irVersion, opsets } = model;
  if (irVersion < 1) fail('E_MODEL', 'check', 'model', `ir_version is ${irVersion}`);
  if (irVersion > NEWEST_IR_VERSION) {
    fail('E_UNSUPPORTED', 'check', 'model', `ir_version is ${irVersion}, the newest that is known is ${NEWEST_IR_VERSION}`);
  }
  if (opsets.size === 0) fail('E_MODEL', 'check', 'model', 'no opset_import');
  for (const [domain, version] of opsets) {
    const what = `opset_import of ${quote(domain || 'ai.onnx')}`;
    if (!Number.isSafeInteger(version) || version < 1) fail('E_MODEL', 'check', what, `version ${version} does not exist`);
    if (domain === '' && version > NEWEST_OPSET) {
      fail('E_UNSUPPORTED', 'check', what, `version ${version} is newer than the newest that is known, ${NEWEST_OPSET}`);
    }
  }
}

/**
 * Checks all that can be said of a model without knowing its operators: versions, names, order of nodes, tensors,
 * sparse indices, constant quantisation parameters, functions. Nothing is computed.
 *
 * @throws {EngineError} E_MODEL, E_SHAPE, E_SPARSE, E_QUANT, E_LIMIT, or E_UNSUPPORTED for versions newer than this
 *   package; the message begins with the node, tensor or function.
 */
export function checkModel(model: OnnxModel, options: { limits?: Partial<Pick<Limits, 'nesting'>> } = {}): void {
  const limits = { ...DEFAULT_CHECK_LIMITS, ...options.limits };
  checkVersions(model);
  checkFunctions(model, limits);
  checkGraph(model.graph, new Scope(), Place.MODEL, { opsets: model.opsets, limits });
}
