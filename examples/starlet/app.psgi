# A PSGI application.
my $slot = $ENV{GRACEFULD_SLOT};
sub { [200, ['Content-Type' => 'text/plain'], ["hello world from slot $slot\n"]] };
