'use strict';
// For PM2, as its documentation has it: says when it is ready, and at SIGINT stops accepting and finishes what is asked of it.
const server = require('http').createServer({ keepAliveTimeout: 3600000 }, (request, response) => {
	response.setHeader('Content-Type', 'text/plain');
	response.end('hello world\n');
});
process.on('SIGINT', () => server.close((error) => process.exit(error ? 1 : 0)));
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.send('ready'));
