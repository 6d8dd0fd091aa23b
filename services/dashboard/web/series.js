// Counts per line and minute -> the points of the three charts.

/** Minutes ({at, parts, failed, latency_p95_ms, seconds}) of all lines together; of latencies the slowest line's is shown. */
export function plantSeries(charts) {
  const minutes = new Map();
  for (const line of Object.values(charts)) for (const minute of line) minutes.set(minute.at, add(minutes.get(minute.at), minute));
  return lineSeries([...minutes.values()].sort((one, other) => one.at - other.at));
}

export function lineSeries(minutes = []) {
  const judged = (minute) => (minute.inspected ? (100 * minute.failed) / minute.inspected : null);
  return {
    parts: minutes.map((minute) => ({ at: minute.at, value: (minute.parts * 60) / minute.seconds })),
    defects: minutes.map((minute) => ({ at: minute.at, value: judged(minute) })),
    latency: minutes.map((minute) => ({ at: minute.at, value: minute.latency_p95_ms })),
  };
}

function add(sum, minute) {
  if (!sum) return { ...minute };
  const slowest = Math.max(sum.latency_p95_ms ?? -1, minute.latency_p95_ms ?? -1);
  return {
    at: sum.at,
    seconds: sum.seconds,
    parts: sum.parts + minute.parts,
    inspected: sum.inspected + minute.inspected,
    failed: sum.failed + minute.failed,
    latency_p95_ms: slowest < 0 ? null : slowest,
  };
}
