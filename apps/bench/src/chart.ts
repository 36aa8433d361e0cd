/** One share of zeros (0 to 1) and what was reached there, in sequences a second. */
export interface SpeedPoint {
  readonly share: number;
  readonly ours: number;
  readonly dense: number;
  readonly ort: number;
}

const SIZE = { width: 760, height: 420, left: 64, right: 170, top: 48, bottom: 52 };
const SERIES = [
  { key: 'ours', name: 'Neural Engine', colour: '#1f6feb' },
  { key: 'dense', name: 'its dense kernels', colour: '#8b949e' },
  { key: 'ort', name: 'ONNX Runtime int8', colour: '#d1570a' },
] as const;

const escapeXml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

/** A step of 1, 2 or 5 times a power of ten that cuts `most` into about five. */
function tickStep(most: number): number {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough)!;
}

/** Draws speed over share of zeros as a self-contained SVG with its own background, legible in light and dark surroundings. */
export function speedChart(points: readonly SpeedPoint[], title: string): string {
  const { width, height, left, right, top, bottom } = SIZE;
  const most = Math.max(...points.flatMap(({ ours, dense, ort }) => [ours, dense, ort])) * 1.05;
  const x = (share: number): number => left + (share / 0.95) * (width - left - right);
  const y = (speed: number): number => height - bottom - (speed / most) * (height - top - bottom);
  const parts: string[] = [];
  const step = tickStep(most);
  for (let speed = 0; speed <= most; speed += step) {
    parts.push(`<path d="M${left} ${y(speed).toFixed(1)}H${width - right}" stroke="#e3e7ec"/>`);
    parts.push(`<text x="${left - 8}" y="${(y(speed) + 4).toFixed(1)}" text-anchor="end">${speed}</text>`);
  }
  for (const share of [0, 0.2, 0.4, 0.6, 0.8, 0.95])
    parts.push(`<text x="${x(share).toFixed(1)}" y="${height - bottom + 20}" text-anchor="middle">${Math.round(share * 100)}%</text>`);
  // Labels at the right end, pushed apart where lines end close together.
  const ends = SERIES.map((series) => ({ ...series, at: y(points.at(-1)![series.key]) })).sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => {
    if (i > 0) end.at = Math.max(end.at, ends[i - 1]!.at + 18);
  });
  for (const { key, name, colour, at } of ends) {
    const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${x(point.share).toFixed(1)} ${y(point[key]).toFixed(1)}`).join('');
    parts.push(`<path d="${path}" fill="none" stroke="${colour}" stroke-width="2.5" stroke-linejoin="round"/>`);
    for (const point of points)
      parts.push(`<circle cx="${x(point.share).toFixed(1)}" cy="${y(point[key]).toFixed(1)}" r="3" fill="${colour}"/>`);
    parts.push(`<text x="${width - right + 12}" y="${(at + 4).toFixed(1)}" fill="${colour}" font-weight="600">${name}</text>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}" font-family="system-ui,sans-serif" font-size="12" fill="#4b5563">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${left}" y="24" font-size="14" font-weight="600" fill="#111827">${escapeXml(title)}</text>
<text x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle">zero 4x1 blocks in every product</text>
<text transform="translate(16 ${(height - bottom + top) / 2}) rotate(-90)" text-anchor="middle">sequences a second</text>
${parts.join('\n')}
</svg>
`;
}
