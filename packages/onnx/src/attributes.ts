import { EngineError } from '@neural-engine/core';
import { describeNode } from './decode/node';
import { fail, quote } from './errors';
import type { OnnxAttribute, OnnxAttributeType, OnnxGraph, OnnxNode, OnnxTensor } from './types';

/** Value type of each kind of attribute. */
type Values = { [A in OnnxAttribute as A['type']]: A['value'] };

/**
 * The value of an attribute of the given type, or undefined where the node has none of that name.
 * @throws {EngineError} E_MODEL the attribute has another type.
 */
export function attribute<T extends OnnxAttributeType>(node: OnnxNode, name: string, type: T): Values[T] | undefined {
  const found: { type: OnnxAttributeType; value: unknown } | undefined = node.attributes.get(name);
  if (found === undefined) return undefined;
  if (found.type !== type)
    fail('E_MODEL', 'check', describeNode(node), `attribute ${quote(name)} is of type ${found.type}, expected ${type}`);
  return found.value as Values[T];
}

function withDefault<T>(node: OnnxNode, name: string, value: T | undefined, fallback: T | undefined): T {
  return value ?? fallback ?? fail('E_MODEL', 'check', describeNode(node), `the attribute ${quote(name)} is missing`);
}

function toNumber(node: OnnxNode, name: string, value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new EngineError(
    'E_MODEL',
    'check',
    `${describeNode(node)}: attribute ${quote(name)} = ${value} is beyond the integers that can be handled exactly`,
  );
}

/** An integer attribute as a number. Without a default the attribute is required. @throws {EngineError} E_MODEL missing, of another type, or not exact. */
export function attributeInt(node: OnnxNode, name: string, fallback?: number): number {
  const value = attribute(node, name, 'int');
  return withDefault(node, name, value === undefined ? undefined : toNumber(node, name, value), fallback);
}

/** A list of integers as numbers; see {@link attributeInt}. */
export function attributeInts(node: OnnxNode, name: string, fallback?: readonly number[]): readonly number[] {
  const values = attribute(node, name, 'ints');
  return withDefault(
    node,
    name,
    values?.map((value) => toNumber(node, name, value)),
    fallback,
  );
}

/** A float attribute; see {@link attributeInt}. */
export const attributeFloat = (node: OnnxNode, name: string, fallback?: number): number =>
  withDefault(node, name, attribute(node, name, 'float'), fallback);

/** A list of floats; see {@link attributeInt}. */
export const attributeFloats = (node: OnnxNode, name: string, fallback?: readonly number[]): readonly number[] =>
  withDefault<readonly number[]>(node, name, attribute(node, name, 'floats'), fallback);

/** A string attribute; see {@link attributeInt}. */
export const attributeString = (node: OnnxNode, name: string, fallback?: string): string =>
  withDefault(node, name, attribute(node, name, 'string'), fallback);

/** A list of strings; see {@link attributeInt}. */
export const attributeStrings = (node: OnnxNode, name: string, fallback?: readonly string[]): readonly string[] =>
  withDefault<readonly string[]>(node, name, attribute(node, name, 'strings'), fallback);

/** A tensor attribute, undefined where absent. @throws {EngineError} E_MODEL of another type. */
export const attributeTensor = (node: OnnxNode, name: string): OnnxTensor | undefined => attribute(node, name, 'tensor');

/** A subgraph attribute, which is required. @throws {EngineError} E_MODEL missing or of another type. */
export const attributeGraph = (node: OnnxNode, name: string): OnnxGraph =>
  withDefault(node, name, attribute(node, name, 'graph'), undefined);
