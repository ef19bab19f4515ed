// Starting what is measured on one core, and ending it.

import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { children } from "./place.mjs";
import { ask } from "./ask.mjs";

/** Where load comes from and goes to. */
export const LOAD = "0";
/** Where the gateway is. */
export const GATEWAY = "1";

/** Starts a command on `core` and waits until it answers `url`, be it by a refusal. What it says goes to a file in `folder`; what it writes to stdout nobody reads. */
export async function start(name, core, command, url, folder) {
  const said = join(folder, "said.log");
  const log = openSync(said, "w");
  // a group of its own: some have children, which must end with them
  const child = spawn("taskset", ["-c", core, ...command], { cwd: folder, detached: true, stdio: ["ignore", "ignore", log], env: { ...process.env, HOME: folder } });
  closeSync(log);
  const group = {
    kill() {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // it has ended
      }
    },
  };
  children.add(group);
  let over = false;
  const ended = new Promise((done) => child.once("exit", () => ((over = true), done())));
  child.once("error", () => (over = true));
  const broken = (why) => new Error(`${name} ${why}: ${command.join(" ")}\n${readFileSync(said, "utf8").slice(-2000)}`);
  for (const until = Date.now() + 20_000; ; await new Promise((done) => setTimeout(done, 50))) {
    if (over) throw broken("ended");
    if (Date.now() > until) throw broken("does not answer");
    if (await ask(url).then(({ status }) => status < 500 && status !== 404, () => false)) break;
  }
  const end = async () => {
    group.kill();
    await ended;
    children.delete(group);
  };
  return { name, used: () => used(child.pid), pids: () => members(child.pid).map(({ pid }) => pid), end, said: () => readFileSync(said, "utf8") };
}

/** Seconds that the gateway's core has worked, for whomever; what a hypervisor takes away counts, too. */
export function worked() {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8").match(new RegExp(`^cpu${GATEWAY} .*`, "m"))[0].split(" ").map(Number);
  return (user + nice + system + irq + softirq + steal) / 100;
}

/** The processes of a group: their ids, and what the system says of each after its name (state, parent, group, …). */
function members(group) {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, "utf8").split(") ").pop().split(" ");
      return Number(fields[2]) === group ? [{ pid: Number(entry), fields }] : [];
    } catch {
      // it has ended
      return [];
    }
  });
}

/** Seconds of processor time that a group of processes has had: utime and stime are the 14th and 15th field of all. */
const used = (group) => members(group).reduce((ticks, { fields }) => ticks + Number(fields[11]) + Number(fields[12]), 0) / 100;
