import { escapeHtml, SERIES, standaloneStyle } from './page';

export interface ChartPoint {
  readonly x: number;
  readonly y: number;
  /** Written beside the point. */
  readonly label: string;
  /** Shown when the pointer rests on it. */
  readonly detail: string;
  readonly best?: boolean;
}

export interface ChartSeries {
  readonly name: string;
  readonly points: readonly ChartPoint[];
}

export interface ChartOptions {
  readonly xTitle: string;
  readonly yTitle: string;
  /** A vertical line: what lies right of it is over the limit. */
  readonly limit?: { readonly x: number; readonly label: string };
}

const [WIDTH, HEIGHT] = [960, 480];
const BOX = { left: 76, right: WIDTH - 24, top: 24, bottom: HEIGHT - 56 };
/** The axis of x is logarithmic from this ratio of its ends on. */
const LOG_FROM = 15;

interface Axis {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Lines with points, as SVG markup that a page can hold; {@link standaloneChart} makes a file of it. */
export function chart(series: readonly ChartSeries[], options: ChartOptions): string {
  const points = series.flatMap((each) => each.points);
  const limits = options.limit ? [options.limit.x] : [];
  const x = axis([...points.map((point) => point.x), ...limits], BOX.left, BOX.right - 40, true);
  const y = axis([0, ...points.map((point) => point.y)], BOX.bottom, BOX.top + 12, false);
  const grid = [
    ...x.ticks.map((tick) => {
      const at = x.at(tick).toFixed(1);
      return `<line class="grid" x1="${at}" y1="${BOX.top}" x2="${at}" y2="${BOX.bottom}"/><text class="dim" x="${at}" y="${BOX.bottom + 18}" text-anchor="middle">${short(tick)}</text>`;
    }),
    ...y.ticks.map((tick) => {
      const at = y.at(tick).toFixed(1);
      return `<line class="grid" x1="${BOX.left}" y1="${at}" x2="${BOX.right}" y2="${at}"/><text class="dim" x="${BOX.left - 8}" y="${Number(at) + 4}" text-anchor="end">${short(tick)}</text>`;
    }),
  ];
  const titles = [
    `<text class="dim" x="${(BOX.left + BOX.right) / 2}" y="${HEIGHT - 16}" text-anchor="middle">${escapeHtml(options.xTitle)}</text>`,
    `<text class="dim" transform="rotate(-90)" x="${-(BOX.top + BOX.bottom) / 2}" y="16" text-anchor="middle">${escapeHtml(options.yTitle)}</text>`,
  ];
  const names = legend(series);
  const labels = placeLabels(series, x, y);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT + names.height}" role="img" aria-label="${escapeHtml(`${options.yTitle} against ${options.xTitle}`)}">
${grid.join('\n')}
${titles.join('\n')}
${limitLine(options, x)}
${series.map((each, i) => line(each, `var(--s${i % SERIES})`, x, y)).join('\n')}
${labels}
${names.markup}
</svg>`;
}

/** The chart as a file of its own. */
export const standaloneChart = (series: readonly ChartSeries[], options: ChartOptions): string => {
  const svg = chart(series, options);
  const end = svg.indexOf('>') + 1;
  return `${svg.slice(0, end)}\n${standaloneStyle()}\n${svg.slice(end)}\n`;
};

function axis(values: readonly number[], from: number, to: number, mayBeLog: boolean): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const reach = to - from;
  if (mayBeLog && low > 0 && high / low >= LOG_FROM) {
    const [a, b] = [Math.log(low / 1.15), Math.log(high * 1.15)];
    return { ticks: logTicks(low / 1.15, high * 1.15), at: (value) => from + (reach * (Math.log(value) - a)) / (b - a) };
  }
  const step = niceStep((high - Math.min(low, 0) || 1) / 6);
  const start = mayBeLog ? Math.max(0, Math.floor((low - (high - low) * 0.08) / step) * step) : 0;
  const end = Math.max(Math.ceil(high / step) * step, start + step);
  const ticks = Array.from({ length: Math.round((end - start) / step) + 1 }, (_, i) => start + i * step);
  return { ticks, at: (value) => from + (reach * (value - start)) / (end - start) };
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
    for (const factor of [1, 2, 5]) if (factor * power >= low && factor * power <= high) ticks.push(factor * power);
  return ticks;
}

const short = (value: number): string => Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 3 });

function line({ points }: ChartSeries, colour: string, x: Axis, y: Axis): string {
  const place = ({ x: px, y: py }: ChartPoint): [string, string] => [x.at(px).toFixed(1), y.at(py).toFixed(1)];
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${place(point).join(' ')}`).join('');
  const dots = points.map((point) => {
    const [cx, cy] = place(point);
    const ring = point.best ? `<circle cx="${cx}" cy="${cy}" r="9" fill="none" stroke="${colour}" stroke-width="2"/>` : '';
    return `${ring}<circle cx="${cx}" cy="${cy}" r="4.5" fill="${colour}"><title>${escapeHtml(point.detail)}</title></circle>`;
  });
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots.join('')}`;
}

function limitLine({ limit }: ChartOptions, x: Axis): string {
  if (!limit) return '';
  const at = x.at(limit.x).toFixed(1);
  return `<line x1="${at}" y1="${BOX.top}" x2="${at}" y2="${BOX.bottom}" stroke="var(--dim)" stroke-dasharray="6 4"/><text class="dim" x="${Number(at) - 6}" y="${BOX.top + 12}" text-anchor="end">${escapeHtml(limit.label)}</text>`;
}

/** About what a letter takes in the charts' font. */
const LETTER = 6.8;
const LINE = 14;

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const overlap = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Labels beside their points, where there is room that no other point or label takes; one without room is left out, its point still says it. */
function placeLabels(series: readonly ChartSeries[], x: Axis, y: Axis): string {
  const points = series.flatMap((each) => each.points).map((point) => ({ ...point, cx: x.at(point.x), cy: y.at(point.y) }));
  const dots = points.map(({ cx, cy }): Box => ({ left: cx - 5, right: cx + 5, top: cy - 5, bottom: cy + 5 }));
  const taken: Box[] = [];
  // The best one is named whatever lies around it.
  const texts = [...points]
    .sort((a, b) => Number(b.best ?? false) - Number(a.best ?? false))
    .map(({ label, cx, cy }) => {
      const width = label.length * LETTER;
      const places = [8, -8 - width].flatMap((dx) => [-7, 17].map((dy): [number, number] => [cx + dx, cy + dy]));
      const free = places
        .map(([left, base]) => ({ left, right: left + width, top: base - LINE + 3, bottom: base + 3 }))
        .find((box) => ![...taken, ...dots].some((other) => overlap(box, other)) && box.right <= WIDTH && box.left >= BOX.left);
      if (!free) return '';
      taken.push(free);
      return `<text x="${free.left.toFixed(1)}" y="${(free.bottom - 3).toFixed(1)}">${escapeHtml(label)}</text>`;
    });
  return texts.join('');
}

/** Names of the series below the chart, as many in a line as fit. */
function legend(series: readonly ChartSeries[]): { markup: string; height: number } {
  let [left, row] = [BOX.left, 0];
  const entries = series.map(({ name }, i) => {
    const width = 16 + name.length * LETTER + 24;
    if (left > BOX.left && left + width > BOX.right) [left, row] = [BOX.left, row + 1];
    const [at, base] = [left, HEIGHT + 14 + row * 20];
    left += width;
    return `<rect x="${at.toFixed(1)}" y="${base - 9}" width="10" height="10" rx="2" fill="var(--s${i % SERIES})"/><text x="${(at + 16).toFixed(1)}" y="${base}">${escapeHtml(name)}</text>`;
  });
  return { markup: entries.join(''), height: (row + 1) * 20 + 8 };
}
