import { expect, test } from "vitest";
import { type Ask, Problem } from "../src/api";
import { isRestored, Talks, turnsOf, withKept } from "../src/ask/talks";
import type { Event } from "../src/stream";

const STREAM: Event = { name: "stream", data: { stream_id: "s", conversation_id: "c1", question_id: "q1", answer_id: "a1" } };
const token = (text: string): Event => ({ name: "token", data: { text } });
const answer = (text: string): Event => ({
  name: "answer",
  data: {
    question: "?", status: "answered", answer: text, sentences: [], citations: [], passages: [], score: 1,
    notices: [], contacts: [], model: "m", timings: {}, message_id: "a1",
  },
});

function talking(...events: (Event | Error)[]) {
  const given: Ask[] = [];
  const talks = new Talks(async function* (it) {
    given.push(it);
    for (const event of events) {
      if (event instanceof Error) throw event;
      yield event;
    }
  }, () => 1);
  return { talks, given };
}

test("a question becomes a conversation with an id, and a follow-up goes into it", async () => {
  const { talks, given } = talking(STREAM, token("The "), answer("The end."));
  const talk = talks.fresh;
  await talks.ask(talk, "One?", {});
  expect(talk).toMatchObject({ id: "c1", title: "One?", running: false });
  expect(talk.turns[0]).toMatchObject({ phase: "done", questionId: "q1", answerId: "a1", draft: "" });
  expect(talks.get("c1")).toBe(talk);
  await talks.ask(talk, "Two?", { sources: ["wiki"], formats: [] });
  expect(given).toEqual([
    { question: "One?" },
    { question: "Two?", conversation_id: "c1", filter: { sources: ["wiki"], formats: [] } },
  ]);
});

test("an edited question replaces itself and what follows", async () => {
  const { talks, given } = talking(STREAM, answer("Yes."));
  const talk = talks.fresh;
  await talks.ask(talk, "One?", {});
  await talks.ask(talk, "Two?", {});
  await talks.ask(talk, "One, really?", {}, talk.turns[0]);
  expect(talk.turns.map((turn) => turn.question)).toEqual(["One, really?"]);
  expect(given[2]).toEqual({ question: "One, really?", conversation_id: "c1", replaces: "q1" });
});

test("what had arrived stays when it fails or breaks off", async () => {
  const failed = talking(STREAM, token("The "), new Problem(0, ""));
  await failed.talks.ask(failed.talks.fresh, "One?", {});
  expect(failed.talks.fresh.turns[0]).toMatchObject({ phase: "failed", draft: "The " });
  const ended = talking(STREAM, token("The "));
  await ended.talks.ask(ended.talks.fresh, "One?", {});
  expect(ended.talks.fresh.turns[0]).toMatchObject({ phase: "failed", draft: "The " });
});

test("where nothing is kept the page takes the conversation along", async () => {
  const nowhere: Event = { name: "stream", data: { stream_id: "s", conversation_id: null, question_id: null, answer_id: null } };
  const { talks, given } = talking(nowhere, answer("Yes."));
  await talks.ask(talks.fresh, "One?", {});
  await talks.ask(talks.fresh, "Two?", {});
  expect(given[1]).toEqual({
    question: "Two?",
    history: [{ role: "user", content: "One?" }, { role: "assistant", content: "Yes." }],
  });
});

test("stored messages become turns; an answer that was cut off is a draft", () => {
  const base = { created_at: "", withheld: false };
  const turns = turnsOf([
    { id: "1", role: "user", text: "One?", answer: null, ...base },
    { id: "2", role: "assistant", text: "Yes", answer: null, ...base },
    { id: "3", role: "user", text: "Two?", answer: null, ...base },
  ]);
  expect(turns.map(({ question, questionId, answerId, phase, draft }) => [question, questionId, answerId, phase, draft])).toEqual([
    ["One?", "1", "2", "cut", "Yes"],
    ["Two?", "3", null, "cut", ""],
  ]);
});

test("what was said about a stored answer comes with it", () => {
  const base = { created_at: "", withheld: false };
  const feedback = { helpful: false, wrong_sentences: [1], text: "Since 2025 only.", right_page: "" };
  const turns = turnsOf([
    { id: "1", role: "user", text: "One?", answer: null, ...base },
    { id: "2", role: "assistant", text: "Yes", answer: answer("Yes").data as never, feedback, ...base },
  ]);
  expect(turns[0]).toMatchObject({ phase: "done", feedback });
  expect(turnsOf([{ id: "1", role: "user", text: "One?", answer: null, ...base }])[0]!.feedback).toBeNull();
});

test("an answer that ended with the sign-in is known from one that was cut off otherwise", () => {
  const base = { created_at: "", withheld: false };
  const stored = () => turnsOf([
    { id: "1", role: "user", text: "One?", answer: null, ...base },
    { id: "2", role: "assistant", text: "Ye", answer: null, ...base },
  ]);
  const kept = { ...stored()[0]!, phase: "failed" as const, draft: "Yes", error: new Problem(0, "restored") };
  expect(withKept(stored(), [])[0]).toMatchObject({ phase: "cut", draft: "Ye", error: null });
  const [turn] = withKept(stored(), [kept]);
  expect(turn).toMatchObject({ phase: "cut", draft: "Yes" });
  expect(isRestored(turn!)).toBe(true);
  expect(isRestored({ ...kept, error: new Problem(0, "") })).toBe(false);
});
