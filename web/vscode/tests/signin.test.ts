import { afterEach, beforeEach, expect, it } from "vitest";
import { accepted, code, token, wrong } from "../src/signin";
import { CODE, FakeDocent } from "./fake";

let docent: FakeDocent;
let to: { base: string; ca: string; token: string };
let waits: number[];

beforeEach(async () => {
  docent = new FakeDocent();
  docent.token = `docent_${"0".repeat(16)}_${"1".repeat(64)}`;
  to = { base: await docent.start(), ca: "", token: "" };
  waits = [];
});
afterEach(() => docent.stop());

const never = new AbortController().signal;
const wait = async (ms: number) => void waits.push(ms);

it("waits for the person as often as the server says, and slower when told", async () => {
  docent.polls = ["authorization_pending", "slow_down", "away", "authorization_pending"];
  expect(await code(to, "Code on laptop", never)).toEqual(CODE);
  expect(docent.seen[0]!.body).toEqual({ name: "Code on laptop" });
  expect(await token(to, CODE, never, wait)).toBe(docent.token);
  expect(waits).toEqual([5000, 5000, 10_000, 10_000, 10_000]);
});

it("never sends an old token along", async () => {
  await token({ ...to, token: "old" }, CODE, never, wait);
  expect(docent.seen.every((one) => one.headers.authorization === undefined)).toBe(true);
});

it("ends when the person refuses, takes too long, or changes his mind", async () => {
  docent.polls = ["access_denied"];
  await expect(token(to, CODE, never, wait)).rejects.toThrow("No: access_denied.");
  docent.polls = Array<string>(500).fill("authorization_pending");
  await expect(token(to, CODE, never, wait)).rejects.toThrow(/expired/);
  expect(waits.length).toBeLessThanOrEqual(1 + 1 + 600 / 5);
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(token(to, CODE, stop.signal)).rejects.toThrow("enough");
});

it("looks at a typed token before it is kept", async () => {
  expect(wrong(` ${docent.token} `)).toBe("");
  expect(["", "docent_1_2", "glpat-x"].map(wrong).every((text) => text.includes("docent_"))).toBe(true);
  await accepted({ ...to, token: docent.token });
  await expect(accepted({ ...to, token: "docent_x" })).rejects.toMatchObject({ status: 401 });
});
