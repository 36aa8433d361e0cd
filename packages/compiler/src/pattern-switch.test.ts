import { EngineError } from '@neural-engine/core';
import { describe, expect, it } from 'vitest';
import { parsePatternSwitch } from './pattern-switch';

const codeOf = (text: string): unknown => {
  try {
    return parsePatternSwitch(text);
  } catch (error) {
    return EngineError.isInstance(error) ? `${error.code} ${error.message}` : error;
  }
};

describe('parsePatternSwitch', () => {
  it("translates the original's names and takes our own", () => {
    const text = 'pattern_switch:\n  # attention\n  Gelu: False\n  "MatMulWithBiasAdd": true\n  fuse-attention: false # ours\n';
    expect(parsePatternSwitch(text)).toEqual({
      switches: { 'fuse-gelu': false, 'fuse-gelu-tanh': false, 'absorb-residual': true, 'fuse-attention': false },
      warnings: [],
    });
  });

  it('lets off win where several names are one pass', () => {
    expect(parsePatternSwitch('pattern_switch:\n  WordEmbeddings: false\n  PositionEmbeddings: true\n').switches).toEqual({
      'fuse-embeddings': false,
    });
  });

  it('warns of names without an equivalent', () => {
    const { switches, warnings } = parsePatternSwitch(
      "pattern_switch:\r\n  'MultiHeadAttention': False\r\n  RoraryPosEmb: true\r\n  __proto__: true\r\n",
    );
    expect(switches).toEqual({});
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toContain('"MultiHeadAttention" has no effect: attention is one operator');
    expect(warnings[1]).toContain('"RoraryPosEmb" has no effect: there is no such pass here');
  });

  it.each([
    ['', 'pattern_switch: the file has no "pattern_switch:"'],
    ['other:\n  a: true', 'pattern_switch, line 1: expected "pattern_switch:", got "other:"'],
    ['pattern_switch:\n  Gelu: 1', 'pattern_switch, line 2: expected "  PassName: true" or "false", got "Gelu: 1"'],
    ['pattern_switch:\n  Gelu: &a true', 'pattern_switch, line 2: expected "  PassName: true" or "false", got "Gelu: &a true"'],
    ['pattern_switch:\npattern_switch:\n', 'pattern_switch, line 2: "pattern_switch" stands twice'],
  ])('rejects %j', (text, message) => expect(codeOf(text)).toBe(`E_USAGE ${message}`));
});
