// What an AWS_LAMBDA_EXEC_WRAPPER runs: the name that it has on Lambda. Without a wrapper node is given bootstrap.js itself, which starts 2 ms faster.
import './bootstrap.js';
