/**
 * Owns the metrics of the process itself, under the names that every Prometheus client library gives them. Each is measured when the
 * metrics are asked for, and nothing runs in between: prom-client's own set also wakes the process a hundred times a second to watch
 * the event loop, and lists every open connection each time.
 */
import { readdir, readFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";

export function addProcessMetrics(registry: Registry): void {
  const registers = [registry];
  new Counter({
    name: "process_cpu_seconds_total",
    help: "Processor time of this process, in seconds.",
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: "process_start_time_seconds",
    help: "When this process started, in seconds since 1970.",
    registers,
  }).set(performance.timeOrigin / 1000);
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Memory of this process, in bytes.",
    registers,
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  addDescriptorMetrics(registers);
  addLoopMetrics(registers);
}

/**
 * How busy the one thread is that serves everybody. Node counts the time by itself; the lag is that of the turn in which it is asked, so the
 * mean of many is what counts. Names: open-telemetry/semantic-conventions docs/runtime/nodejs-metrics.md, and prom-client's own for the lag.
 */
function addLoopMetrics(registers: Registry[]): void {
  new Counter({
    name: "nodejs_eventloop_time_seconds_total",
    help: "Time of the event loop: active (it works) or idle (it waits for something to do).",
    labelNames: ["state"],
    registers,
    collect() {
      const { active, idle } = performance.eventLoopUtilization();
      this.reset();
      this.inc({ state: "active" }, active / 1_000);
      this.inc({ state: "idle" }, idle / 1_000);
    },
  });
  new Gauge({
    name: "nodejs_eventloop_lag_seconds",
    help: "How long the event loop took to come to this question.",
    registers,
    async collect() {
      const askedAt = performance.now();
      await new Promise(setImmediate);
      this.set((performance.now() - askedAt) / 1_000);
    },
  });
}

/** Each connection and each open blob needs a file descriptor. On systems without /proc these metrics are left out. */
function addDescriptorMetrics(registers: Registry[]): void {
  new Gauge({
    name: "process_open_fds",
    help: "Open file descriptors.",
    registers,
    async collect() {
      const found = await readdir("/proc/self/fd").catch(() => undefined);
      if (found === undefined) this.remove();
      else this.set(found.length);
    },
  });
  new Gauge({
    name: "process_max_fds",
    help: "How many file descriptors may be open.",
    registers,
    async collect() {
      const limits = await readFile("/proc/self/limits", "utf8").catch(() => "");
      const [, most] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
      if (most === undefined) this.remove();
      else this.set(Number(most));
    },
  });
}
