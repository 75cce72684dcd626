import { Random } from "../../support/random.ts";

const LINES = 20_000;

const LEVELS = ["INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"];
const EVENTS: ((random: Random) => string)[] = [
  (r) => `order ${r.int(100_000, 999_999)} paid: ${money(r)} by card **** ${r.int(1000, 9999)}`,
  (r) =>
    `order ${r.int(100_000, 999_999)} sent to kitchen, table ${r.int(1, 60)}, ${r.int(1, 9)} items`,
  (r) => `GET /api/menu?rev=${r.int(1, 1e9).toString(16)} 200 in ${r.int(1, 900)} ms`,
  (r) => `POST /api/orders 201 in ${r.int(1, 900)} ms request_id=${hex(r)}${hex(r)}`,
  (r) => `printer 10.0.${r.int(0, 9)}.${r.int(1, 254)} answered after ${r.int(1, 5000)} us`,
  (r) => `stock of sku ${r.int(10_000, 99_999)} is ${r.int(0, 500)}, last delivery ${hex(r)}`,
  (r) => `sync finished: ${r.int(0, 5000)} rows, ${r.int(0, 9_999_999)} bytes, checksum ${hex(r)}`,
];

/**
 * Returns log lines such as a till writes: repeated words, with varying numbers and ids. The result is the
 * same in each run, so that runs can be compared.
 * @param length length of the result, in bytes
 */
export function logLines(length: number): Uint8Array {
  const random = new Random(1);
  let time = Date.UTC(2026, 0, 2, 9);
  const lines: string[] = [];
  for (let n = 0; n < LINES; n++) {
    time += random.int(0, 400);
    const head = `${new Date(time).toISOString()} ${random.pick(LEVELS)} [till-${random.int(1, 12)}]`;
    lines.push(`${head} ${random.pick(EVENTS)(random)}\n`);
  }
  return Buffer.alloc(length, lines.join(""));
}

function money(random: Random): string {
  return `${random.int(1, 200)}.${String(random.int(0, 99)).padStart(2, "0")} EUR`;
}

function hex(random: Random): string {
  return random.int(0, 0xffff_ffff).toString(16).padStart(8, "0");
}
