// Every page of the app, with what stands on it: for accessible.mjs, screenshots.mjs and whoever looks at all of them.

import { until } from "./stage.mjs";

const TEXT = `Hello **all**, here is the plan:

1. read \`notes.txt\`
2. ask @bob
3. see [the site](https://example.org)

> and say what you think

\`\`\`
one line of code that is rather long, so that it is seen what happens to it on a small screen, which has less room
\`\`\``;

/** Makes what the pages show: groups, threads, people, an invitation, a removal. */
export async function furnish(stage) {
  const { alice, bob, carol } = stage;
  const mia = await stage.member(alice, `mia-${Date.now() % 100_000}`, "Mia Member");
  const group = await stage.group("Product launch", alice, bob, mia);
  await alice.write(group.chat, TEXT);
  await until("the history at bob's", async () => (await bob.call("GET", `/threads/${group.chat}/messages/1`)).ok);
  await bob.write(group.chat, "Looks good to me.");
  await bob.write(group.chat, "Shall we say Thursday?");
  for (const [person, emoji] of [[alice, "👍"], [bob, "👍"], [mia, "🎉"]]) {
    await until("a reaction", async () => (await person.call("POST", `/threads/${group.chat}/messages/1/reactions`, { emoji })).ok);
  }
  const topic = await alice.post("/threads", { subject: "A topic with recipients", groups: [group.id] });
  await alice.write(topic.id, "What about the date?");
  const deleted = await alice.write(topic.id, "never mind");
  await alice.ask("DELETE", `/threads/${topic.id}/messages/${deleted.seq}`);
  await stage.join(alice, "threads", topic.id, mia);
  const dm = await alice.post("/dms", { address: mia.address });
  await mia.write(dm.id, "Do you have a minute?");
  // An invitation that waits, one by mail, and one to alice.
  await alice.post(`/groups/${group.id}/members`, { address: carol.address });
  await alice.post(`/groups/${group.id}/members`, { address: `jo-${Date.now()}@free.example` });
  const theirs = await bob.post("/groups", { name: "Tenders" });
  await bob.post(`/groups/${theirs.id}/members`, { address: alice.address });
  const abroad = await stage.group("Owned by a partner", bob, alice);
  const cut = await stage.group("Was shared", alice, bob);
  await alice.ask("DELETE", `/groups/${cut.id}/members/${bob.id}`);
  const [removal] = (await alice.get("/removals")).removals;
  const { path: join } = await alice.post(`/users/${mia.id}/link`, {});
  const code = (join ?? (await until("a letter", () => stage.letters.find((one) => one.to.includes(mia.address))))?.link ?? "").split("/join/").pop();
  const { peers } = await alice.get("/peers");
  return { group: group.id, chat: group.chat, topic: topic.id, dm: dm.id, scope: removal.scope, epoch: removal.epoch,
    bob: bob.id, mia: mia.id, peer: peers[0].workspace.id, to: bob.workspace.id, theirs: abroad.id, code };
}

/**
 * Pages by their names: the path with what `furnish` made in it, and whether somebody who is not signed in looks at it.
 */
export const PAGES = [
  { name: "sign-in", path: () => "/sign-in", open: true },
  { name: "enter", path: () => "/enter", open: true },
  { name: "forgotten", path: () => "/forgotten", open: true },
  { name: "join", path: ({ code }) => `/join/${code}`, open: true },
  { name: "inbox", path: () => "/" },
  { name: "inbox-everything", path: () => "/?view=all" },
  { name: "inbox-archived", path: () => "/?view=archived" },
  { name: "thread", path: ({ chat }) => `/t/${chat}` },
  { name: "thread-topic", path: ({ topic }) => `/t/${topic}` },
  { name: "thread-dm", path: ({ dm }) => `/t/${dm}` },
  { name: "message", path: ({ chat }) => `/t/${chat}/1` },
  { name: "missing", path: () => "/nothing-here", missing: true },
  { name: "thread-settings", path: ({ topic }) => `/t/${topic}/settings` },
  { name: "group", path: ({ group }) => `/g/${group}` },
  { name: "group-members", path: ({ group }) => `/g/${group}/members` },
  { name: "group-settings", path: ({ group }) => `/g/${group}/settings` },
  { name: "group-policy", path: ({ group }) => `/g/${group}/policy` },
  { name: "group-move", path: ({ group }) => `/g/${group}/move` },
  { name: "group-move-preview", path: ({ group, to }) => `/g/${group}/move?to=${to}` },
  { name: "remove", path: ({ group, bob }) => `/g/${group}/remove/${bob}` },
  { name: "directory", path: () => "/directory" },
  { name: "people", path: () => "/people" },
  { name: "person", path: ({ bob }) => `/people/${bob}` },
  { name: "search", path: () => "/search?q=plan" },
  { name: "new", path: () => "/new" },
  { name: "invitations", path: () => "/invitations" },
  { name: "me", path: () => "/me" },
  { name: "removed", path: ({ scope, epoch }) => `/removed/${scope}/${epoch}` },
  { name: "admin", path: () => "/admin" },
  { name: "admin-peers", path: () => "/admin/peers" },
  { name: "admin-peer", path: ({ peer }) => `/admin/peers/${peer}` },
  { name: "admin-peer-end", path: ({ peer }) => `/admin/peers/${peer}/end` },
  { name: "admin-person", path: ({ mia }) => `/admin/people/${mia}` },
  { name: "admin-person-suspend", path: ({ mia }) => `/admin/people/${mia}/suspend` },
  { name: "admin-person-remove", path: ({ mia }) => `/admin/people/${mia}/remove` },
  { name: "admin-externals", path: () => "/admin/externals" },
  { name: "admin-abroad", path: () => "/admin/abroad" },
  { name: "admin-invitations", path: () => "/admin/invitations" },
  { name: "admin-approvals", path: () => "/admin/approvals" },
  { name: "admin-accounts", path: () => "/admin/accounts" },
  { name: "admin-people", path: () => "/admin/people" },
  { name: "admin-policy", path: () => "/admin/policy" },
  { name: "admin-audit", path: () => "/admin/audit" },
  { name: "admin-keys", path: () => "/admin/keys" },
  { name: "admin-keys-sign", path: () => "/admin/keys/sign" },
  { name: "admin-handover", path: ({ theirs }) => `/admin/handover?group=${theirs}` },
  { name: "admin-mail", path: () => "/admin/mail" },
];

/** Opens a page. */
export async function visit(window, page, facts) {
  if (page.missing) window.expect(/console: .*404/);
  const answer = await window.go(page.path(facts));
  await window.page.evaluate(() => document.fonts.ready);
  if (page.missing || answer.ok()) return true;
  throw new Error(`${page.name}: ${answer.status()} at ${answer.url()}`);
}
