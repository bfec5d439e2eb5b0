// Node's own HTTP server as a worker of gracefuld: it listens on the sockets that it is born with, says ready on the status pipe,
// and drains when the control pipe tells it to, or ends.
'use strict';
const http = require('http');
const fs = require('fs');
const net = require('net');
const { GRACEFULD_SLOT: slot, GRACEFULD_GENERATION: generation } = process.env;

let draining = false;

function answer(request, response) {
	if (draining)
		response.setHeader('Connection', 'close'); // the client goes elsewhere with its next request
	response.end(`hello world from slot ${slot}, generation ${generation}\n`);
}

const servers = [];
for (let n = 0; n < Number(process.env.LISTEN_FDS); n++) {
	const server = http.createServer({ keepAliveTimeout: 75000 }, answer);
	servers.push(new Promise((resolve) => server.listen({ fd: 3 + n }, () => resolve(server))));
}

// What waits for its answer gets it. Busy connections end with their next answer, idle ones a second later: a request that is just on
// its way to a connection that is closed at once would be lost. (So not by http's own close, which does that.)
const IDLE_GRACE_MS = 1000;

async function drain() {
	if (draining)
		return;
	draining = true;
	await Promise.all((await Promise.all(servers)).map((server) => new Promise((resolve) => {
		net.Server.prototype.close.call(server, resolve);
		setTimeout(() => server.closeIdleConnections(), IDLE_GRACE_MS);
	})));
	process.exit(0);
}

Promise.all(servers).then(() => {
	fs.writeSync(Number(process.env.GRACEFULD_STATUS_FD), 'hello 1 node 1.0\nready\n');
	// (not by fs: a thread that waits in a read of a pipe keeps the process from exiting)
	const control = new net.Socket({ fd: Number(process.env.GRACEFULD_CONTROL_FD), readable: true, writable: false });
	control.on('data', drain).on('close', drain);
});
