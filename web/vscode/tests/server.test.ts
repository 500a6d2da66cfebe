import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Event } from "../src/answer";
import { ask } from "../src/ask";
import { baseOf, type Connection, json, Trouble } from "../src/server";
import { FakeDocent } from "./fake";

let docent: FakeDocent;
let to: Connection;

beforeEach(async () => {
  docent = new FakeDocent();
  to = { base: await docent.start(), ca: "", token: "" };
});
afterEach(() => docent.stop());

const never = new AbortController().signal;
const at_once = { signal: never, pause: () => 0 };

async function all(events: AsyncGenerator<Event>): Promise<string[]> {
  const names = [];
  for await (const event of events) names.push(event.name === "token" ? event.data.text : event.name);
  return names;
}

const WHOLE = ["stream", "queued", "passages", "It fires ", "at 4 GeV.", "answer"];

describe("asking", () => {
  it("gives the events in their order", async () => {
    expect(await all(ask(to, { question: "At how many GeV?" }, at_once))).toEqual(WHOLE);
    expect(docent.seen[0]!.headers).toMatchObject({ accept: "text/event-stream", "content-type": "application/json" });
    expect(docent.seen[0]!.headers["origin"]).toBeUndefined();
  });

  it("goes on where the line was cut, wherever that is, and asks once", async () => {
    for (const cuts of [[1], [3], [4, 1], [5], [2, 0, 0, 1]]) {
      docent.cuts = cuts;
      expect(await all(ask(to, { question: "q" }, at_once))).toEqual(WHOLE);
    }
    expect(docent.asked).toHaveLength(5);
    expect(docent.resumed[0]).toBe("stream-1:1");
  });

  it("says so when the server does not come back", async () => {
    docent.cuts = [2, 0, 0, 0, 0, 0, 0, 0];
    await expect(all(ask(to, { question: "q" }, at_once))).rejects.toThrow(/broke in the middle.*question is kept/);
    expect(docent.resumed.length).toBe(5);
  });

  it("ends at once when the stream is another's by now", async () => {
    docent.cuts = [2];
    const events = ask(to, { question: "q" }, at_once);
    await events.next();
    await events.next();
    docent.refusals = [{ status: 401, detail: "This API token is unknown, has expired or was revoked." }];
    await expect(events.next()).rejects.toMatchObject({ status: 401, message: expect.stringMatching(/revoked.*sign in, then ask again/) });
  });

  it("tells the server to stop", async () => {
    docent.hold = new Promise(() => undefined);
    const stop = new AbortController();
    const names: string[] = [];
    await expect((async () => {
      for await (const event of ask(to, { question: "q" }, { ...at_once, signal: stop.signal })) {
        names.push(event.name);
        if (names.length === 5) stop.abort(new Trouble(0, "stopped"));
      }
    })()).rejects.toThrow("stopped");
    expect(docent.stopped).toEqual(["stream-1"]);
  });

  it("takes a line for dead on which nothing comes", async () => {
    docent.hold = new Promise(() => undefined);
    expect(await all(ask(to, { question: "q" }, { ...at_once, silentMs: 1000 }))).toEqual(WHOLE);
    expect(docent.resumed).toEqual(["stream-1:5"]);
    expect(docent.asked).toHaveLength(1);
  });
});

describe("trouble is told in sentences", () => {
  const failing = (path = "/api/v1/glossary") => json(to, path).then(() => "", (error: Error) => error.message);

  it("when the server is away", async () => {
    await docent.stop();
    expect(await failing()).toMatch(/^The server http:\S+ cannot be reached \(ECONNREFUSED\)\. Your question is kept/);
  });

  it("when it refuses, with its own words and the time to wait", async () => {
    docent.refusals = [
      { status: 429, detail: "You have made 10 questions in a minute, which is the limit. Try again in 7 s.", headers: { "Retry-After": "7" } },
      { status: 503, detail: "Too many wait.", headers: { "Retry-After": "9" } },
      { status: 403, detail: 'This token is not for that: it lacks the scope "ask".' },
      { status: 502, text: "<html>Bad gateway</html>" },
      { status: 404, text: "<html>" },
      { status: 401, text: "" },
      { status: 302, headers: { Location: "/login" } },
    ];
    expect(await failing()).toBe("You have made 10 questions in a minute, which is the limit. Try again in 7 s.");
    expect(await failing()).toBe("Too many wait. Try again in 9 s.");
    expect(await failing()).toMatch(/lacks the scope "ask"/);
    expect(await failing()).toMatch(/^The server is away \(502\)\. Your question is kept/);
    expect(await failing()).toMatch(/refused that \(404\)/);
    expect(await failing()).toBe("You are not signed in. Your question is kept: sign in, then ask again.");
    expect(await failing()).toMatch(/refused that \(302\)/);
  });

  it("when something else answers", async () => {
    docent.refusals = [{ status: 200, text: "<html>Sign in to the network</html>" }];
    expect(await failing()).toMatch(/does not answer as Docent does/);
  });

  it("when the setting is no address, or would send a token in the clear", () => {
    expect(baseOf(" https://docent.example.org/ ")).toBe("https://docent.example.org");
    expect(baseOf("https://user:pw@h.org/docent/?x#y")).toBe("https://h.org/docent");
    for (const local of ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"]) expect(baseOf(local)).toBe(local);
    for (const wrong of ["docent", "", "ftp://h", "file:///x", "http://docent.example.org", "http://127.0.0.1.evil.org", "http://localhost.evil.org"]) {
      expect(() => baseOf(wrong)).toThrow(/docent\.server/);
    }
  });
});

describe("a server with an authority of its own", () => {
  const folder = mkdtempSync(join(tmpdir(), "docent-ca-"));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore" });

  it("is trusted when told, and only then", async () => {
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=Test authority",
      "-keyout", file("ca.key"), "-out", file("ca.pem"));
    openssl("req", "-x509", "-CA", file("ca.pem"), "-CAkey", file("ca.key"), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
      "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE",
      "-keyout", file("key.pem"), "-out", file("cert.pem"));
    const [key, cert, ca] = ["key.pem", "cert.pem", "ca.pem"].map((name) => readFileSync(file(name), "utf8")) as [string, string, string];
    rmSync(folder, { recursive: true });
    const secure = new FakeDocent();
    const base = await secure.start({ key, cert });
    try {
      await expect(json({ base, ca: "", token: "t" }, "/api/v1/glossary")).rejects.toThrow(/certificate of https:\/\/localhost:\d+ is not trusted \(\w+\).*docent\.caFile/);
      // Nothing was sent before the certificate was looked at.
      expect(secure.seen).toEqual([]);
      expect(await json({ base, ca, token: "" }, "/api/v1/glossary")).toEqual({ entries: [] });
      // Another name than the certificate's is not trusted either.
      const other = base.replace("localhost", "127.0.0.1");
      await expect(json({ base: other, ca, token: "" }, "/api/v1/glossary")).rejects.toThrow(/not trusted/);
      expect(await all(ask({ base, ca, token: "" }, { question: "q" }, at_once))).toEqual(WHOLE);
    } finally {
      await secure.stop();
    }
  });
});
