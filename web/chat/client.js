// Talking to the server. Errors are sentences, as the server wrote them.

/** What went wrong, in a sentence for the reader. */
export class Trouble extends Error {}

const OFFLINE = "The server cannot be reached. Is `docent serve` still running?";

async function request(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(OFFLINE);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Trouble(problem.detail ?? `The server answered with an error (${response.status}).`);
}

export async function get(address) {
  return (await request(address, { headers: { Accept: "application/json" } })).json();
}

/** Ask, and yield `{event, data}` as they come. */
export async function* ask(question, history, signal) {
  const response = await request("/api/v1/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "text/event-stream" },
    body: JSON.stringify({ question, history, keep: false }),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Trouble("The connection was lost before the answer was complete.");
    });
    if (done) return;
    const events = (rest + value).split(/\r\n\r\n|\n\n/);
    rest = events.pop();
    for (const text of events) {
      const event = parsed(text);
      if (event) yield event;
    }
  }
}

function parsed(text) {
  let event = "message";
  const data = [];
  for (const line of text.split(/\r\n|\n/)) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data.push(line.slice(6));
    // Anything else is a comment: the heart-beat.
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
