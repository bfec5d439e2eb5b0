'use strict';
// Node's own cluster, as its documentation has it: at SIGHUP, worker by worker, a new one is forked; when it listens, the old one is told
// to disconnect, which closes its idle connections and lets it finish what is asked of it.
const cluster = require('cluster'), http = require('http');
const WORKERS = 2, PORT = Number(process.env.PORT);

if (cluster.isPrimary) {
	let rolling = false;
	const roll = (old) => {
		if (old.length === 0) {
			rolling = false;
			return;
		}
		const [first, ...rest] = old;
		cluster.fork().once('listening', () => {
			first.once('exit', () => roll(rest));
			first.disconnect();
		});
	};
	for (let n = 0; n < WORKERS; n++)
		cluster.fork();
	process.on('SIGHUP', () => {
		if (!rolling) {
			rolling = true;
			roll(Object.values(cluster.workers));
		}
	});
} else {
	process.on('SIGHUP', () => {});
	http.createServer({ keepAliveTimeout: 3600000 }, (request, response) => {
		response.setHeader('Content-Type', 'text/plain');
		response.end('hello world\n');
	}).listen(PORT, '127.0.0.1');
}
