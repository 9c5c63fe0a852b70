# A client: asks again and again, and prints each answer as it came. Usage: asker.pl ADDRESS.
use strict;
use IO::Socket::INET;
my ($address) = @ARGV;
$| = 1;
for (my $n = 1; ; $n++) {
    my $link = IO::Socket::INET->new(PeerAddr => $address, PeerPort => 7000, Timeout => 1);
    if ($link) {
        eval {
            local $SIG{ALRM} = sub { die };
            alarm 2;
            print {$link} "$n\n";
            $link->flush;
            print <$link> // '';
        };
        alarm 0;
    }
    select(undef, undef, undef, 0.2);
}
