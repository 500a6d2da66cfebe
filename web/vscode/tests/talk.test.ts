import { afterEach, beforeEach, expect, it } from "vitest";
import { baseOf, type Connection, Trouble } from "../src/server";
import { CLOSED, Talk, type Turn } from "../src/talk";
import { FakeDocent } from "./fake";

let docent: FakeDocent;
let base: string;
let token: string;
let kept: string[];
let keep: boolean;
let told: [number, string][];

beforeEach(async () => {
  docent = new FakeDocent();
  base = await docent.start();
  [token, kept, keep, told] = ["", [], true, []];
});
afterEach(() => docent.stop());

const connect = async (): Promise<Connection> => ({ base: baseOf(base), ca: "", token });

function talk(unanswered: string[] = []): Talk {
  return new Talk({
    connect, keep: () => keep, unanswered: (questions) => (kept = questions), pause: () => 0,
    changed: (turn, text) => told.push([turn.id, text ?? turn.stage]),
  }, unanswered);
}

async function asked(one: Talk, question: string): Promise<Turn> {
  const { turn, ended } = one.ask(question);
  await ended;
  return turn;
}

it("shows a question, its draft and its answer, and goes on in the same conversation", async () => {
  const one = talk();
  const turn = await asked(one, "At how many GeV?");
  expect(turn).toMatchObject({ stage: "answered", draft: "", answer: { answer: "It fires at 4 GeV." } });
  expect(told.map(([, text]) => text)).toEqual(["waiting", "asking", "asking", "asking", "asking", "It fires ", "at 4 GeV.", "answered", "answered"]);
  await asked(one, "And the other?");
  expect(docent.asked).toEqual([{ question: "At how many GeV?" }, { question: "And the other?", conversation_id: "c1" }]);
  one.renew();
  await asked(one, "Anew");
  expect(docent.asked[2]).toEqual({ question: "Anew" });
  expect(one.turns).toHaveLength(1);
});

it("keeps nothing on the server where that is set, and sends what was said instead", async () => {
  keep = false;
  const one = talk();
  await asked(one, "first");
  await asked(one, "second");
  expect(docent.asked[1]).toEqual({
    question: "second", keep: false,
    history: [{ role: "user", content: "first" }, { role: "assistant", content: "It fires at 4 GeV." }],
  });
  expect(docent.conversations.size).toBe(0);
});

it("loses no question while the server is away, and asks again", async () => {
  const one = talk();
  const away = base;
  base = "http://127.0.0.1:1";
  const turn = await asked(one, "Where?");
  expect(turn).toMatchObject({ stage: "failed", question: "Where?", trouble: expect.stringMatching(/cannot be reached/) });
  expect(kept).toEqual(["Where?"]);
  base = away;
  await one.again(turn.id);
  expect(turn).toMatchObject({ stage: "answered", trouble: "" });
  expect(kept).toEqual([]);
});

it("keeps the question that a server with too much to do did not take, and asks again", async () => {
  const one = talk();
  docent.refusals = [{ status: 503, detail: "Too many wait.", headers: { "Retry-After": "9" } }];
  const turn = await asked(one, "Busy?");
  expect(turn).toMatchObject({ stage: "failed", question: "Busy?", trouble: "Too many wait. Try again in 9 s." });
  expect(kept).toEqual(["Busy?"]);
  await one.again(turn.id);
  expect(turn.stage).toBe("answered");
  expect(kept).toEqual([]);
});

it("has the questions of a closed editor", async () => {
  const one = talk(["Lost?"]);
  expect(one.turns).toMatchObject([{ question: "Lost?", stage: "failed", trouble: CLOSED }]);
  await one.again(one.turns[0]!.id);
  expect(one.turns[0]!.stage).toBe("answered");
  // What has an answer is not asked again.
  await one.again(one.turns[0]!.id);
  expect(docent.asked).toHaveLength(1);
});

it("says that rights have ended, and what to do", async () => {
  docent.token = "docent_x";
  const one = talk();
  const turn = await asked(one, "Secret?");
  expect(turn).toMatchObject({ stage: "failed", signIn: true, trouble: "Sign in first. Your question is kept: sign in, then ask again." });
  token = "docent_x";
  await one.again(turn.id);
  expect(turn).toMatchObject({ stage: "answered", signIn: false });
});

it("asks one after the other, and stops the one that is meant", async () => {
  let go = () => undefined as void;
  docent.hold = new Promise((done) => (go = () => done(undefined)));
  const one = talk();
  const first = one.ask("first");
  const second = one.ask("second");
  const third = one.ask("third");
  expect([second.turn.stage, kept]).toEqual(["waiting", ["first", "second", "third"]]);
  one.stop(second.turn.id);
  // Shown at once, not when its turn comes.
  expect(second.turn.stage).toBe("stopped");
  go();
  await third.ended;
  expect([first.turn.stage, second.turn.stage, third.turn.stage]).toEqual(["answered", "stopped", "answered"]);
  expect(docent.asked.map((body) => body.question)).toEqual(["first", "third"]);
  await one.again(second.turn.id);
  expect(second.turn.stage).toBe("answered");
});

it("begins another conversation where the old one was erased", async () => {
  const one = talk();
  await asked(one, "first");
  docent.conversations.clear();
  const turn = await asked(one, "second");
  expect(turn.stage).toBe("answered");
  expect(docent.asked[1]).toEqual({ question: "second" });
});

it("does not take a conversation to another server", async () => {
  const one = talk();
  await asked(one, "first");
  const other = new FakeDocent();
  base = await other.start();
  await asked(one, "second");
  await other.stop();
  expect(other.asked).toEqual([{ question: "second" }]);
});

it("shows an answer that ended in an error with its sentence", async () => {
  docent.refusals = [{ status: 503, detail: "Nobody else may wait.", headers: { "Retry-After": "5" } }];
  const turn = await asked(talk(), "q");
  expect(turn).toMatchObject({ stage: "failed", trouble: "Nobody else may wait. Try again in 5 s." });
  expect(new Trouble(0, "x").name).toBe("Trouble");
});
