<?php
header('Content-Type: text/plain');
echo 'hello world from slot ', getenv('GRACEFULD_SLOT'), "\n";
