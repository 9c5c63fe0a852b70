# The service of the story: appends what it is asked to a file of the asset, and answers when that is on the disk.
# Usage: ledger.pl ADDRESS FILE NODE. One line each way: "TEXT", "NODE TEXT". A disk that refuses ends it.
use strict;
use IO::Socket::INET;
use IO::Handle;
my ($address, $path, $node) = @ARGV;
my $at = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 7000, Listen => 9, ReuseAddr => 1) or die "$address: $!";
open(my $file, '>>', $path) or die "$path: $!";
while (my $caller = $at->accept) {
    my $asked = <$caller> // next;
    print {$file} "$node $asked" or die $!;
    $file->flush or die $!;
    $file->sync or die $!;
    print {$caller} "$node $asked";
}
