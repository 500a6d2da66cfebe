// What is asked about code: a sentence of the person, where he is, and the lines that he chose.

/** As many characters as the server takes in one question. */
export const MOST = 4000;
const CUT = "\n… (the rest is left out)";
const BREVE = 300;

export interface Context {
  /** The lines that were chosen; nothing else of the file is sent. */
  code: string;
  language: string;
  /** Relative to the folder that is open. */
  path: string;
  /** Lines from 1. */
  from: number;
  to: number;
  /** Where the repository comes from; empty for none. */
  repository: string;
}

/** A question about chosen lines. */
export function aboutCode(wish: string, context: Context): string {
  return composed(wish.trim() || "What does this do, and what do the documents say about it?", context);
}

/** A question about an error message, with the lines that it is shown at. */
export function aboutError(message: string, source: string, context: Context): string {
  const told = message.length > BREVE * 3 ? `${message.slice(0, BREVE * 3)}…` : message;
  return composed(`What does this error mean, and what is to be done? ${source ? `${source}: ` : ""}${told}`.trim(), context);
}

function composed(wish: string, context: Context): string {
  const { language, path, from, to, repository } = context;
  const lines = from === to ? `line ${from}` : `lines ${from} to ${to}`;
  const where = [
    `File: ${brief(path)}, ${lines}${language ? ` (${brief(language)})` : ""}`,
    ...(repository ? [`Repository: ${brief(repository)}`] : []),
  ];
  const head = `${wish.slice(0, MOST - 1000)}\n\n${where.join("\n")}\n\n`;
  if (!context.code.trim()) return head.trim();
  const mark = fence(context.code);
  const room = MOST - head.length - 2 * mark.length - language.length - CUT.length - 3;
  const code = context.code.length > room ? context.code.slice(0, room) + CUT : context.code;
  return `${head}${mark}${brief(language)}\n${code}\n${mark}`;
}

const brief = (text: string) => (text.length > BREVE ? `…${text.slice(-BREVE)}` : text);

// Longer than any in the code, so that code cannot end it.
const fence = (code: string) => "`".repeat(Math.max(3, ...[...code.matchAll(/`+/g)].map(([run]) => run.length + 1)));

/** The address of a repository without the name and the password that may stand in it. */
export function repositoryOf(remote: string): string {
  const scp = /^(?:[^@/\s]+@)?([^:/\s]{2,}):(?!\/\/)([^\\]+)$/.exec(remote.trim());
  if (scp) return `https://${scp[1]}/${scp[2]!.replace(/^\/+|\.git$/g, "")}`;
  try {
    const url = new URL(remote.trim());
    if (!/^(?:https?|ssh|git):$/.test(url.protocol)) return "";
    return `https://${url.hostname}${url.pathname.replace(/\/+$|\.git\/?$/g, "")}`;
  } catch {
    return "";
  }
}

/** The address of the first remote ("origin" before others) in the text of a `.git/config`. */
export function remoteIn(config: string): string {
  const found = [...config.matchAll(/\[remote "([^"]*)"\]([^[]*)/g)].map(([, name, body]) => ({
    name, url: /^\s*url\s*=\s*(.+?)\s*$/m.exec(body ?? "")?.[1] ?? "",
  }));
  return (found.find(({ name, url }) => name === "origin" && url) ?? found.find(({ url }) => url))?.url ?? "";
}
