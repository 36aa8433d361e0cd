import { EngineError } from '@neural-engine/core';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { expectUnchanged, type GraphBuilder, graphOf, opsOf, reasonsOf, run } from '../__fixtures__/build-graph';
import { constant, decline, emptyContext, oneOf, op, optional, PassLog, rewrite, scalar, value } from './index';

const x = value('x');
const y = value('y');
const input = (b: GraphBuilder, name = 'x'): string => b.input(name, 'f32', [2]);

/** A pass that turns what the pattern matches into Neg of x. */
const toNeg = (pattern: ReturnType<typeof value<'x'>>) =>
  rewrite({ name: 'to-neg', summary: '', pattern, replace: ({ x }, graph) => graph.op('Neg', [x]) });

describe('patterns', () => {
  it.each<[string, (b: GraphBuilder) => string, boolean]>([
    ['operands in order', (b) => b.op('Sub', [input(b), b.scalar(2)]), true],
    ['no exchange where order matters', (b) => b.op('Sub', [b.scalar(2), input(b)]), false],
    ['another constant', (b) => b.op('Sub', [input(b), b.scalar(3)]), false],
    ['a vector for a scalar', (b) => b.op('Sub', [input(b), b.constant({ dtype: 'f32', dims: [2], data: Float32Array.of(2, 2) })]), false],
    ['a scalar of rank 1', (b) => b.op('Sub', [input(b), b.constant({ dtype: 'f32', dims: [1], data: Float32Array.of(2) })]), true],
    ['an f32 rounding', (b) => b.op('Sub', [input(b), b.scalar(2.000001)]), true],
  ])('match %s: %#', (_, build, matches) => {
    const after = run(toNeg(op('Sub', x, scalar(2))), graphOf(build));
    expect(opsOf(after)).toEqual([matches ? 'Neg' : 'Sub']);
  });

  it('match commutative operators in both orders, also nested', () => {
    const pass = toNeg(op('Add', op('Mul', x, scalar(2)), scalar(1)));
    const orders: [boolean, boolean][] = [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ];
    for (const [inner, outer] of orders) {
      const graph = graphOf((b) => {
        const product = inner ? b.op('Mul', [b.scalar(2), input(b)]) : b.op('Mul', [input(b), b.scalar(2)]);
        return b.op('Add', outer ? [b.scalar(1), product] : [product, b.scalar(1)]);
      });
      expect(opsOf(run(pass, graph))).toEqual(['Neg']);
    }
  });

  it('demand that one name is one value', () => {
    const pass = toNeg(op('Mul', x, x));
    expectUnchanged(
      pass,
      graphOf((b) => b.op('Mul', [input(b), input(b, 'y')])),
    );
    expect(
      opsOf(
        run(
          pass,
          graphOf((b) => b.op('Mul', [input(b), 'x'])),
        ),
      ),
    ).toEqual(['Neg']);
  });

  it('go back when a later part does not fit the first choice', () => {
    // The first order binds x to Abs(a); only the second lets Sqrt(x) fit.
    const pass = toNeg(op('Add', x, op('Sqrt', x)));
    const graph = graphOf((b) => {
      const a = b.op('Abs', [input(b)]);
      return b.op('Add', [b.op('Sqrt', [a]), a]);
    });
    expect(opsOf(run(pass, graph))).toEqual(['Abs', 'Neg']);
  });

  it('try alternatives, and optional parts first', () => {
    const half = rewrite({
      name: 'half',
      summary: '',
      pattern: op(
        'Relu',
        optional(oneOf(x, op('Abs', y)), (inner) => op('Mul', inner, scalar('factor'))),
      ),
      replace: ({ x, factor }, graph) => graph.op(factor ? 'Neg' : 'Exp', [x ?? graph.input(graph.root, 0)!]),
    });
    expect(
      opsOf(
        run(
          half,
          graphOf((b) => b.op('Relu', [b.op('Mul', [input(b), b.scalar(3)])])),
        ),
      ),
    ).toEqual(['Neg']);
    expect(
      opsOf(
        run(
          half,
          graphOf((b) => b.op('Relu', [input(b)])),
        ),
      ),
    ).toEqual(['Exp']);
  });

  it('compare attributes with their defaults', () => {
    const pass = toNeg(op('Softmax', x).with({ axis: -1 }));
    expect(
      opsOf(
        run(
          pass,
          graphOf((b) => b.op('Softmax', [input(b)])),
        ),
      ),
    ).toEqual(['Neg']);
    expectUnchanged(
      pass,
      graphOf((b) => b.op('Softmax', [input(b)], { axis: 0 })),
    );
  });

  it('do not match operands that are left out', () => {
    const pass = toNeg(op('Clip', x, value('low'), value('high')) as unknown as typeof x);
    expectUnchanged(
      pass,
      graphOf((b) => b.op('Clip', [input(b), '', b.scalar(1)])),
    );
  });

  it('type their captures', () => {
    rewrite({
      name: 'typed',
      summary: '',
      pattern: oneOf(op('Add', x, constant('bias')), op('Identity', x)),
      replace: (captures) => {
        expectTypeOf(captures.x).not.toBeNullable();
        expectTypeOf(captures.bias).toBeNullable();
        return captures.x;
      },
    });
  });
});

describe('the driver', () => {
  const doubleNeg = rewrite({ name: 'drop-double-neg', summary: '', pattern: op('Neg', op('Neg', x)), replace: ({ x }) => x });

  it('keeps the name of a replaced output', () => {
    const before = graphOf((b) => b.op('Neg', [b.op('Neg', [b.op('Abs', [input(b)])])]));
    const after = run(doubleNeg, before);
    expect(opsOf(after)).toEqual(['Abs']);
    expect(after.outputs).toEqual(before.outputs);
    expect(after.nodes[0]!.outputs).toEqual(before.outputs);
  });

  it('declines where the result has a name of its own to keep', () => {
    const graph = graphOf((b) => b.op('Neg', [b.op('Neg', [input(b)])]));
    expectUnchanged(doubleNeg, graph);
    expect(reasonsOf(doubleNeg, graph)).toEqual(['"Neg_1" is a graph output, and "x" has to keep its own name']);
  });

  it('works to a fixed point', () => {
    const graph = graphOf((b) => {
      let at = b.op('Abs', [input(b)]);
      for (let i = 0; i < 12; i++) at = b.op('Neg', [at]);
      return b.op('Exp', [at]);
    });
    expect(opsOf(run(doubleNeg, graph))).toEqual(['Abs', 'Exp']);
  });

  it('ends a rewrite that undoes its own work', () => {
    const flip = rewrite({
      name: 'flip',
      summary: '',
      pattern: op(['Neg', 'Abs'], x),
      replace: ({ x }, graph) => graph.op(graph.root.op === 'Neg' ? 'Abs' : 'Neg', [x]),
    });
    const error = (() => {
      try {
        return flip.run(
          graphOf((b) => b.op('Neg', [input(b)])),
          emptyContext(),
        );
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(EngineError.isInstance(error) && [error.code, error.message]).toEqual([
      'E_INTERNAL',
      'pass flip still finds work after 64 sweeps',
    ]);
  });

  it('refuses a match whose inside somebody else reads, and names the reader', () => {
    const graph = graphOf((b) => {
      const inner = b.op('Neg', [input(b)]);
      return [b.op('Exp', [b.op('Neg', [inner])]), b.op('Sqrt', [inner])];
    });
    expectUnchanged(doubleNeg, graph);
    expect(reasonsOf(doubleNeg, graph)).toEqual(['"Neg_0" inside the match is also read by Sqrt "Sqrt_3"']);
  });

  it('takes it where the pattern shares the inside', () => {
    const shared = rewrite({ name: 'shared', summary: '', pattern: op('Neg', op('Neg', x).shared()), replace: ({ x }) => x });
    const graph = graphOf((b) => {
      const inner = b.op('Neg', [input(b)]);
      return [b.op('Exp', [b.op('Neg', [inner])]), b.op('Sqrt', [inner])];
    });
    expect(opsOf(run(shared, graph))).toEqual(['Neg', 'Exp', 'Sqrt']);
  });

  it('leaves no trace of a declined replacement', () => {
    const pass = rewrite({
      name: 'never',
      summary: '',
      pattern: op('Neg', x),
      replace: ({ x }, graph) => {
        graph.op('Abs', [graph.op('Exp', [x]), graph.constant('unused', { dtype: 'f32', dims: [], data: Float32Array.of(1) })].slice(0, 1));
        return decline('on principle');
      },
    });
    const graph = graphOf((b) => b.op('Neg', [input(b)]));
    expectUnchanged(pass, graph);
    expect(reasonsOf(pass, graph)).toEqual(['on principle']);
  });

  it('tells each near miss once, though it is seen on every sweep', () => {
    const reasons: string[] = [];
    const pass = rewrite({
      name: 'sometimes',
      summary: '',
      pattern: op('Neg', x),
      replace: ({ x }, graph) => (graph.producer(x)?.op === 'Abs' ? decline('after Abs') : graph.op('Exp', [x])),
    });
    const graph = graphOf((b) => b.op('Neg', [b.op('Neg', [b.op('Neg', [b.op('Abs', [input(b)])])])]));
    const log = new PassLog('sometimes', (event) => event.kind === 'declined' && reasons.push(event.reason));
    expect(opsOf(pass.run(graph, { ...emptyContext(), log }))).toEqual(['Abs', 'Neg', 'Exp', 'Exp']);
    expect(reasons).toEqual(['after Abs']);
  });

  it('does not edit its argument', () => {
    const graph = graphOf((b) => b.op('Neg', [b.op('Neg', [b.op('Abs', [input(b)])])]));
    const copy = graph.clone();
    doubleNeg.run(graph, emptyContext());
    expect(graph).toEqual(copy);
  });
});
