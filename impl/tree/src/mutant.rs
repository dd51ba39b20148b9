//! Deliberate misbehaviours, one at a time: what the conformance suite must find.
//!
//! A server of the feature `mutants` is told at its start which one it has. Without the feature, and so in every server
//! that is for use, [`Mutant::acts`] is the constant `false`, and the code behind it is compiled away.

#[cfg(feature = "mutants")]
use core::sync::atomic::{AtomicUsize, Ordering};

macro_rules! mutants {
    ($(#[doc = $what:literal] $name:ident,)+) => {
        /// Something that a server does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $(#[doc = $what] $name,)+
        }

        impl Mutant {
            /// Every mutant.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// What it does wrong, in a sentence.
            pub const fn what(self) -> &'static str {
                match self {
                    $(Self::$name => $what.trim_ascii_start(),)+
                }
            }
        }
    };
}

mutants! {
    // Framing and handshake.
    /// A frame may have any length.
    FrameOfAnyLength,
    /// A negative length is waited for instead of refused.
    NegativeLengthWaits,
    /// A body that does not decode closes the connection.
    DamagedBodyCloses,
    /// The timeout is granted as asked.
    TimeoutAsAsked,
    /// A client that has seen a later zxid than the server is let in.
    FutureClientEnters,
    /// The readOnly byte goes to clients that do not know it.
    ReadOnlyByteForAll,
    /// The readOnly byte goes to nobody.
    ReadOnlyByteForNobody,
    /// A session's password is given as zeros.
    PasswordOfZeros,

    // Sessions.
    /// Any password resumes a session.
    AnyPasswordResumes,
    /// Who resumes a session that is gone gets a new one.
    NewSessionOnReattach,
    /// A resumed session's connection elsewhere on the server stays open.
    OldConnectionStays,
    /// A resume answers the timeout that the session began with.
    ResumeKeepsTimeout,
    /// A closed session's ephemerals stay.
    EphemeralsOutliveSession,
    /// Sessions never expire.
    SessionsNeverExpire,
    /// Sessions expire after a quarter of their timeout.
    SessionsExpireEarly,
    /// Pings do not keep a session alive.
    PingsDoNotCount,
    /// An expired session's connection stays open.
    ExpiryLeavesConnection,
    /// closeSession is not answered.
    CloseUnanswered,
    /// closeSession leaves the connection open.
    CloseLeavesConnection,
    /// A follower does not tell its leader which sessions it has heard from, so those that only read expire.
    FollowerSessionsExpire,
    /// A learner lets a session in whatever its leader says.
    LearnerTrustsEveryResume,
    /// A connection whose session has moved to another server may still write.
    MovedSessionWrites,

    // Creates.
    /// Flags that mean nothing make a persistent znode.
    UnknownFlagsArePersistent,
    /// A missing parent is found before a bad ACL.
    ParentBeforeAcl,
    /// An existing znode is found before a missing permission.
    ExistsBeforePermission,
    /// A bad path is found before a missing parent.
    PathBeforeParent,
    /// create needs no permission.
    CreateNeedsNoPermission,
    /// Ephemerals may have children.
    EphemeralsHaveChildren,
    /// `.` and `..` are names.
    DotsAreNames,
    /// Control characters may stand in paths.
    ControlCharactersInPaths,
    /// A sequential name's number is that of the children there are.
    SequenceReusesNumbers,
    /// A sequential name's number has nine digits.
    SequenceOfNineDigits,
    /// A TTL of 0 is taken.
    TtlOfZero,

    // Deletes, new data, new ACLs.
    /// delete looks at the znode's own ACL.
    DeleteAsksTheZnode,
    /// delete ignores the version.
    DeleteIgnoresVersion,
    /// delete takes the children along.
    DeleteTakesChildren,
    /// Children are found before a wrong version.
    ChildrenBeforeVersion,
    /// The server's own znodes may be deleted.
    ReservedMayGo,
    /// setData ignores the version.
    SetDataIgnoresVersion,
    /// setData finds a wrong version before a missing permission.
    VersionBeforePermission,
    /// setData needs no permission.
    SetDataNeedsNoPermission,
    /// setACL ignores the version.
    SetAclIgnoresVersion,
    /// setACL needs no permission.
    SetAclNeedsNoPermission,

    // Reads.
    /// A znode that may not be read looks missing.
    HiddenLooksMissing,
    /// exists needs no permission.
    ExistsNeedsNoPermission,
    /// getACL needs ADMIN.
    GetAclNeedsAdmin,
    /// Null data are read as empty data.
    NullReadsAsEmpty,
    /// getChildren answers full paths.
    ChildrenWithPaths,
    /// getAllChildrenNumber counts the children only.
    OneLevelCounted,
    /// getEphemerals ignores the prefix.
    PrefixIgnored,
    /// sync answers without the path.
    SyncWithoutPath,

    // Stat.
    /// cversion counts the creates and not the deletes.
    CversionIgnoresDeletes,
    /// A create leaves the parent's pzxid.
    PzxidIgnoresCreates,
    /// A delete leaves the parent's pzxid.
    PzxidIgnoresDeletes,
    /// A new child gives its parent a new mzxid.
    ChildrenCountAsData,
    /// setACL leaves aversion.
    AversionStays,
    /// numChildren is 0.
    NumChildrenOfZero,
    /// ephemeralOwner is 0 for ephemerals too.
    EphemeralOwnerHidden,
    /// A container's marker is seen as its ephemeralOwner.
    ContainerOwnerLeaks,
    /// A TTL znode's marker is seen as its ephemeralOwner.
    TtlOwnerLeaks,

    // Containers and TTL.
    /// Containers stay when they are empty.
    ContainersStay,
    /// Containers that never had a child go.
    NewContainersGo,
    /// TTL znodes stay.
    TtlZnodesStay,

    // ACLs and identities.
    /// An ACL without a grant is open to all.
    EmptyAclIsOpen,
    /// A grant that stands twice in an ACL is stored twice.
    GrantsStoredTwice,
    /// `auth` stays in an ACL as it is.
    AuthNotExpanded,
    /// Any id stands in an ACL behind `world`.
    AnyWorldId,
    /// The bits behind an address in an ACL are ignored.
    NetworkBitsIgnored,
    /// The super user is somebody like others.
    SuperIsNobody,
    /// getACL shows the hashes to all.
    HashesShown,
    /// whoAmI shows the hashes.
    WhoAmIShowsHashes,
    /// A new identity replaces the old ones.
    AuthReplaces,
    /// An unknown scheme is accepted.
    UnknownSchemeAccepted,
    /// A refused auth leaves the connection open.
    AuthFailureStaysOpen,
    /// A follower does not tell its leader who the client is.
    IdentitiesNotForwarded,

    // Quotas.
    /// Hard quotas refuse nothing.
    HardQuotaIgnored,
    /// Soft quotas refuse.
    SoftQuotaRefuses,
    /// A quota's account stays as it was.
    AccountStands,

    // multi and multiRead.
    /// A multi that fails keeps what came before the failure.
    MultiHalfDone,
    /// The results of a multi that fails end with the failure.
    MultiVectorShort,
    /// All results of a multi that fails are its error.
    MultiVectorUniform,
    /// A multi that fails has its error in the header.
    MultiErrorInHeader,
    /// check in a multi ignores the version.
    CheckIgnoresVersion,
    /// create in a multi answers a Stat.
    MultiCreateWithStat,
    /// A multi fires no watch.
    MultiTellsNobody,
    /// A multiRead goes no further than its first error.
    MultiReadStops,

    // Watches.
    /// A watch fires more than once.
    WatchStays,
    /// A persistent watch fires once.
    PersistentOnce,
    /// exists of a missing znode sets no watch.
    ExistsWatchNeedsZnode,
    /// A read that fails sets its watch.
    FailedReadWatches,
    /// A recursive watch's event has the path of the watch.
    RecursivePathOfWatch,
    /// A recursive watch tells of lists of children too.
    RecursiveTellsChildren,
    /// A recursive watch does not see below the children.
    RecursiveOneLevel,
    /// A persistent watch does not tell of children.
    PersistentIgnoresChildren,
    /// A delete does not tell the parent's watchers.
    DeleteHidesFromParent,
    /// Who watches a znode's data and children is told of its delete twice.
    DeleteToldTwice,
    /// Who watches the children is told of new data.
    DataToldToChildWatch,
    /// Events go to those who may not read the znode.
    EventsForAll,
    /// The event comes after the reply of the request that made the change.
    EventAfterReply,
    /// An event's header has no zxid.
    EventWithoutZxid,
    /// setWatches does not tell what was missed.
    NoCatchUp,
    /// setWatches tells what was missed after its reply.
    CatchUpAfterReply,
    /// setWatches does not tell that a znode was created meanwhile.
    CatchUpWithoutCreated,
    /// setWatches2 restores no persistent watch.
    PersistentNotRestored,
    /// removeWatches succeeds without a watch.
    RemoveAlwaysSucceeds,
    /// removeWatches of any kind leaves recursive ones.
    RemoveAnyLeavesRecursive,
    /// removeWatches removes nothing.
    RemoveRemovesNothing,

    // Order.
    /// A read does not wait for the session's own writes.
    ReadOvertakesWrite,
    /// A read's reply has no zxid.
    ReadWithoutZxid,
    /// A write's reply has the zxid of the one before.
    WriteWithOldZxid,
    /// A failed write's reply has no zxid.
    FailureWithoutZxid,
    /// A ping is answered with the xid it came with.
    PingEchoesXid,
    /// A follower answers sync by itself.
    SyncStaysLocal,

    // Unknown operations.
    /// An unknown operation leaves the connection open.
    UnknownOpStaysOpen,
    /// An unknown operation is a MarshallingError.
    UnknownOpIsMarshallingError,
    /// reconfig is a MarshallingError.
    ReconfigIsMarshallingError,

    // Four-letter words.
    /// ruok is answered with a line.
    ImokLine,
    /// srvr does not tell the number of znodes.
    SrvrWithoutNodeCount,
    /// isro says that the server is read-only.
    IsroSaysReadOnly,
    /// mntr puts a space between name and value.
    MntrWithSpaces,
    /// dump lists no ephemeral.
    DumpWithoutEphemerals,
    /// cons does not tell the sessions.
    ConsWithoutSessions,
}

#[cfg(not(feature = "mutants"))]
impl Mutant {
    /// Whether this server has it: never.
    #[inline]
    pub const fn acts(self) -> bool {
        false
    }
}

/// Position of the chosen one in [`Mutant::ALL`].
#[cfg(feature = "mutants")]
static CHOSEN: AtomicUsize = AtomicUsize::new(usize::MAX);

#[cfg(feature = "mutants")]
impl Mutant {
    /// Whether this server has it.
    pub fn acts(self) -> bool {
        CHOSEN.load(Ordering::Relaxed) == self as usize
    }

    /// From now on this process misbehaves like this.
    pub fn choose(self) {
        CHOSEN.store(self as usize, Ordering::Relaxed);
    }

    /// The mutant with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| alloc::format!("{mutant:?}") == name)
    }
}
