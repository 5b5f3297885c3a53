// The leg `node-web-push`: `node node_web_push.js JOB` with web-push on NODE_PATH. See client.py for the protocol.
"use strict";

const fs = require("fs");
const https = require("https");
const readline = require("readline");
const webPush = require("web-push");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const recipients = JSON.parse(fs.readFileSync(job.recipients_file, "utf8"));
const agent = new https.Agent({ keepAlive: true, maxSockets: job.in_flight });
webPush.setVapidDetails(job.subject, job.vapid_public_key, job.vapid_private_key);

async function send(some, accepted) {
  let next = 0;
  async function caller() {
    while (next < some.length) {
      const answer = await webPush.sendNotification(some[next++], job.payload, { agent, contentEncoding: "aes128gcm" });
      if (answer.statusCode !== 201) {
        throw new Error(`the sink answered ${answer.statusCode}`);
      }
      accepted();
    }
  }
  await Promise.all(Array.from({ length: job.in_flight }, caller));
}

async function main() {
  await send(recipients.slice(0, job.warm_up), () => {});
  const rest = recipients.slice(job.warm_up, job.warm_up + job.messages);
  const moments = [];
  const input = readline.createInterface({ input: process.stdin }).once("close", () => process.exit(0));
  const go = new Promise((resolve) => input.once("line", resolve));
  console.log("ready");
  await go;
  const began = performance.now();
  await send(rest, () => moments.push(performance.now()));
  const seconds = (performance.now() - began) / 1000;
  const at = (n) => moments[Math.max(0, Math.ceil((n / 100) * moments.length) - 1)];
  const percentiles = Array.from({ length: 101 }, (_, n) => (at(n) - began) / 1000);
  console.log(JSON.stringify({ messages: rest.length, seconds, percentiles }));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
