// The two charts we need, as SVG: a bar of parts, and a line of a few minutes.

const SVG = "http://www.w3.org/2000/svg";

function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * A stacked bar. Every part that is not zero can be seen, however small.
 * @param {{kind: string, value: number}[]} parts  `kind` becomes the class `part-<kind>`
 * @param {{label: string, total?: number}} options  `label` says it in words
 */
export function stackedBar(parts, { label, total = 0 }) {
  const width = 1000;
  const least = 4;
  const present = parts.filter(({ value }) => value > 0);
  const all = Math.max(total, present.reduce((sum, { value }) => sum + value, 0));
  const wanted = present.map(({ value }) => Math.max(least, (value / all) * width));
  const excess = Math.max(0, wanted.reduce((sum, w) => sum + w, 0) - width);
  const largest = wanted.indexOf(Math.max(...wanted));
  let x = 0;
  const rects = present.map(({ kind }, index) => {
    const w = wanted[index] - (index === largest ? excess : 0);
    const rect = s("rect", { class: `part-${kind}`, x, y: 0, width: Math.max(0, w), height: 10 });
    x += w;
    return rect;
  });
  return s("svg", { class: "bar", viewBox: `0 0 ${width} 10`, preserveAspectRatio: "none", role: "img", "aria-label": label }, ...rects);
}

/**
 * A line with the area under it.
 * @param {[number, number][]} samples  time and value
 * @param {{label: string}} options
 */
export function sparkline(samples, { label }) {
  const [width, height, pad] = [300, 60, 3];
  const start = samples[0]?.[0] ?? 0;
  const span = Math.max(1, (samples.at(-1)?.[0] ?? 0) - start);
  const top = Math.max(1, ...samples.map(([, value]) => value));
  const point = ([time, value]) =>
    `${(((time - start) / span) * width).toFixed(1)},${(height - pad - (value / top) * (height - 2 * pad)).toFixed(1)}`;
  const line = samples.length > 1 ? samples.map(point) : [`0,${height - pad}`, `${width},${height - pad}`];
  return s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    s("polygon", { class: "spark-area", points: [`0,${height}`, ...line, `${width},${height}`].join(" ") }),
    s("polyline", { class: "spark-line", points: line.join(" "), "vector-effect": "non-scaling-stroke" }));
}

/**
 * Keeps a page's whole life in a bounded number of samples: when full, neighbours become one, the higher.
 * @param {number} [limit]
 */
export function history(limit = 600) {
  let samples = [];
  return {
    /** @param {number} time @param {number} value */
    add(time, value) {
      samples.push([time, value]);
      if (samples.length <= limit) return;
      const halved = [];
      for (let i = 0; i < samples.length; i += 2) {
        const [a, b] = [samples[i], samples[i + 1] ?? samples[i]];
        halved.push([b[0], Math.max(a[1], b[1])]);
      }
      samples = halved;
    },
    get samples() {
      return samples;
    },
  };
}
