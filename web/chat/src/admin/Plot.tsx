// Small plots of days: bars of counts, lines of times. The same numbers stand in a table below.

interface Series {
  label: string;
  values: readonly (number | null)[];
}

interface Props {
  title: string;
  unit: string;
  days: readonly string[];
  series: readonly Series[];
  kind: "bars" | "lines";
}

const WIDTH = 420;
const HEIGHT = 150;
const LEFT = 34;
const BOTTOM = 18;

/** A round number at or above, for the top of an axis. */
export function roof(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((it) => it * power).find((it) => it >= value)!;
}

export function Plot({ title, unit, days, series, kind }: Props) {
  const top = roof(Math.max(0, ...series.flatMap((it) => it.values.map((value) => value ?? 0))));
  const wide = (WIDTH - LEFT) / Math.max(1, days.length);
  const thick = Math.min(36, Math.max(1, wide * 0.72));
  const x = (index: number) => LEFT + wide * (index + 0.5);
  const y = (value: number) => HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - 8);
  const shown = new Set([0, Math.floor((days.length - 1) / 2), days.length - 1]);
  return (
    <figure className="plot">
      <h2>{title} <span className="soft">{unit}</span></h2>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${title}, ${unit}`}>
        {[0, top / 2, top].map((value) => (
          <g key={value}>
            <line className="grid" x1={LEFT} x2={WIDTH} y1={y(value)} y2={y(value)} />
            <text x={LEFT - 6} y={y(value) + 4} textAnchor="end">{Number(value.toPrecision(3)).toLocaleString()}</text>
          </g>
        ))}
        {days.map((day, index) => shown.has(index) && <text key={day} x={x(index)} y={HEIGHT - 3} textAnchor="middle">{day.slice(5)}</text>)}
        {series.map((it, which) =>
          kind === "bars"
            ? it.values.map((value, index) => value !== null && value > 0 && (
                <rect key={`${which} ${index}`} className={which ? "bar second" : "bar"} x={x(index) - thick / 2} width={thick} y={y(value)} height={Math.max(0, y(0) - y(value))} />
              ))
            : <Line key={which} name={`line-${which + 1}`} points={it.values.flatMap((value, index) => (value === null ? [] : [[x(index), y(value)] as const]))} />)}
      </svg>
      <div className="legend-row">{series.map((it, which) => <span key={it.label}><svg width="14" height="8" aria-hidden="true"><line className={`line-${which + 1}`} x1="0" x2="14" y1="4" y2="4" /></svg> {it.label}</span>)}</div>
    </figure>
  );
}

/** A line through points; a day alone would be no line, so that the points are seen, too. */
function Line({ name, points }: { name: string; points: readonly (readonly [number, number])[] }) {
  return (
    <g className={name}>
      <polyline points={points.join(" ")} />
      {points.map(([x, y]) => <circle key={x} cx={x} cy={y} r="1.6" />)}
    </g>
  );
}
