/** The metrics as Prometheus reads them: its text format, version 0.0.4. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { HouseReport } from '../model/report.ts';
import { type MetricRules, metricTable } from './metricTable.ts';

export const metricsContentType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The counting is done elsewhere: each time is a registry of its own, filled with what the report says. */
export function metricsText(report: HouseReport, rules: MetricRules): Promise<string> {
  const registry = new Registry();
  for (const { name, type, help, labels, samples } of metricTable) {
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    const metric = type === 'counter' ? new Counter(options) : new Gauge(options);
    for (const [value, ...values] of samples(report, rules)) {
      metric.inc(Object.fromEntries(labels.map((label, n) => [label, values[n] ?? ''])), value);
    }
  }
  return registry.metrics();
}
